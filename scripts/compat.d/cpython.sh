# For the subjects cpython-*: a module of CPython's own tests, each test with its outcome, in order. Of `python3 -m test` as it is without
# -u: no network, nothing that needs gigabytes; and no sockets between virtual machines, whose tests wait for ever in some of them. The report is read, and Python's compiled files made, by a process that is not watched.
# What a test writes in between, and how long it took, is not compared.
cpython() {
    /usr/bin/python3 -c 'import test.test_os' 2> /dev/null || { echo "no test suite"; exit 0; }
    export PYTHONDONTWRITEBYTECODE=1 TMPDIR="$PWD"
    /usr/bin/python3 -m test --junit-xml report.xml --tempdir "$PWD" -i '*VSOCK*' "$1" > test.out 2>&1 < /dev/null
    echo "$1 $?"
    env -u LD_PRELOAD /usr/bin/python3 - << 'P'
import collections, xml.etree.ElementTree as xml
outcomes, count = [], collections.Counter()
for case in xml.parse("report.xml").iter("testcase"):
    outcome = next((part.tag for part in case if part.tag in ("failure", "error", "skipped")), case.get("result", "completed"))
    count[outcome] += 1
    outcomes.append("%s %s" % (case.get("name"), outcome))
print("tests", *("%s %d" % pair for pair in sorted(count.items())))
print(*sorted(outcomes), sep="\n")
P
    grep -E '^(FAIL|ERROR):' test.out | sort -u
}
