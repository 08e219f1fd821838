//! `shim tiers` on machines that are folders: what it says of nodes, pages, devices, and whether the lines that it offers are good.

use crate::built;
use crate::installed::{output, parts};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tier::rules::Policy;
use tier::spec::{Kind, NumaPolicy};

const NODES: &str = "sys/devices/system/node";
const HMAT: [&str; 4] = ["read_bandwidth", "write_bandwidth", "read_latency", "write_latency"];

struct Machine(PathBuf);

impl Machine {
    fn new(name: &str) -> Self {
        let machine = Self(built::directory(name));
        machine.file("proc/sys/kernel/osrelease", "6.12.1\n");
        machine
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
    }

    /// `gib`: total and free. `hmat`: as [`HMAT`].
    fn node(&self, id: u32, cpus: &str, [total, free]: [u64; 2], distance: &str, hmat: Option<[u64; 4]>) {
        let at = format!("{NODES}/node{id}");
        self.file(&format!("{at}/cpulist"), &format!("{cpus}\n"));
        self.file(&format!("{at}/distance"), &format!("{distance}\n"));
        let [total, free] = [total, free].map(|gib| gib << 20);
        let meminfo = format!(
            "Node {id} MemTotal:       {total} kB\nNode {id} MemFree:        {free} kB\nNode {id} MemUsed: 1 kB\n"
        );
        self.file(&format!("{at}/meminfo"), &meminfo);
        for (name, value) in HMAT.iter().zip(hmat.unwrap_or_default()).filter(|_| hmat.is_some()) {
            self.file(&format!("{at}/access0/initiators/{name}"), &format!("{value}\n"));
        }
    }

    fn pool(&self, directory: &str, page: &str, numbers: &[(&str, u64)]) {
        for (name, value) in numbers {
            self.file(&format!("{directory}/hugepages-{page}kB/{name}"), &format!("{value}\n"));
        }
    }

    fn text(&self) -> String {
        let (stdout, stderr, code) = parts(&output(&["tiers", "--sysfs", self.0.to_str().unwrap()]));
        assert_eq!((stderr.as_str(), code), ("", Some(0)));
        stdout
    }

    fn records(&self) -> Vec<Value> {
        let (stdout, stderr, code) = parts(&output(&["tiers", "--json", "--sysfs", self.0.to_str().unwrap()]));
        assert_eq!((stderr.as_str(), code), ("", Some(0)));
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn of(&self, record: &str) -> Vec<Value> {
        self.records().into_iter().filter(|value| value["record"] == record).collect()
    }

    /// The rule file that the text offers, read as the library would.
    fn policy(&self) -> Policy {
        let text = self.text();
        let lines = text.split_once("for a rule file (docs/tiers.md):\n").unwrap().1;
        let reading = Policy::read(lines.as_bytes(), "offered.toml");
        assert!(reading.complaints.is_empty(), "{:?}\n{lines}", reading.complaints);
        let joined: String =
            self.of("tier").iter().map(|tier| format!("\n{}", tier["toml"].as_str().unwrap())).collect();
        assert_eq!(joined, lines);
        reading.policy.unwrap()
    }
}

fn kind_of(policy: &Policy, name: &str) -> Kind {
    policy.tiers.iter().find(|tier| tier.name == name).unwrap_or_else(|| panic!("no tier {name}")).kind.clone()
}

/// Two sockets, each with DRAM and, as a node of its own, with HBM; weights; pools; a file system on a RAM disk.
fn hbm() -> Machine {
    let machine = Machine::new("machine-hbm");
    let (dram, fast) = ([256_000, 200_000, 100, 110], [800_000, 700_000, 120, 130]);
    machine.node(0, "0-55", [512, 400], "10 21 13 23", Some(dram));
    machine.node(1, "56-111", [512, 500], "21 10 23 13", Some(dram));
    machine.node(2, "", [64, 60], "13 23 10 23", Some(fast));
    machine.node(3, "", [64, 64], "23 13 23 10", Some(fast));
    for (node, weight) in [(0, 1), (1, 1), (2, 3), (3, 3)] {
        machine.file(&format!("sys/kernel/mm/mempolicy/weighted_interleave/node{node}"), &format!("{weight}\n"));
    }
    machine.file("sys/devices/virtual/memory_tiering/memory_tier4/nodelist", "0-1\n");
    machine.file("sys/devices/virtual/memory_tiering/memory_tier2/nodelist", "2-3\n");
    machine.file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    machine.file("sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n");
    let numbers =
        [("nr_hugepages", 1024), ("free_hugepages", 1000), ("resv_hugepages", 8), ("nr_overcommit_hugepages", 0)];
    machine.pool("sys/kernel/mm/hugepages", "2048", &numbers);
    machine.pool("sys/kernel/mm/hugepages", "1048576", &[("nr_hugepages", 0), ("nr_overcommit_hugepages", 0)]);
    machine.pool(&format!("{NODES}/node2/hugepages"), "2048", &[("nr_hugepages", 1024), ("free_hugepages", 1000)]);
    machine.file("proc/self/status", "Name:\tx\nMems_allowed_list:\t0-3\n");
    machine
}

#[test]
fn a_machine_with_hbm() {
    let machine = hbm();
    let nodes = machine.of("node");
    let kinds: Vec<_> = nodes.iter().map(|node| (node["kind"].as_str(), node["kind_by"].as_str())).collect();
    let by = Some("bandwidth");
    assert_eq!(kinds, [(Some("DRAM"), by), (Some("DRAM"), by), (Some("HBM"), by), (Some("HBM"), by)]);
    assert_eq!((nodes[2]["cpus"].as_str(), nodes[2]["memory_tier"].as_u64()), (Some(""), Some(2)));
    assert_eq!((nodes[2]["free_bytes"].as_u64(), nodes[2]["weight"].as_u64()), (Some(60 << 30), Some(3)));
    let text = machine.text();
    let row = text.lines().find(|line| line.trim_start().starts_with("2  HBM")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let expected =
        "2 HBM none 64 GiB 60 GiB 800,000 MB/s 700,000 MB/s 120 ns 2 3 13 23 10 23".split(' ').collect::<Vec<_>>();
    assert_eq!(cells, expected);
    assert!(text.contains("transparent huge pages: madvise (page 2.0 MiB, defrag -, shared memory -)"), "{text}");
    let pools: Vec<_> = text.lines().filter(|line| line.contains("2.0 MiB  ")).map(str::trim).collect();
    assert_eq!(pools.len(), 2, "{text}");
    assert!(pools[0].ends_with("all  1,024  1,000         8           0"), "{pools:?}");
    let policy = machine.policy();
    let names: Vec<&str> = policy.tiers.iter().map(|tier| tier.name.as_str()).collect();
    assert_eq!(names, ["heap", "dram0", "dram1", "hbm2", "hbm3", "dram", "hbm", "all", "huge2M", "thp", "memfd"]);
    assert_eq!(kind_of(&policy, "hbm3"), Kind::Numa { nodes: vec![3], policy: NumaPolicy::Bind });
    assert_eq!(kind_of(&policy, "hbm"), Kind::Numa { nodes: vec![2, 3], policy: NumaPolicy::WeightedInterleave });
}

#[test]
fn without_bandwidths_nothing_is_called_hbm() {
    let machine = Machine::new("machine-plain");
    machine.node(0, "0-3", [16, 8], "10 20", None);
    machine.node(1, "", [4, 4], "20 10", None);
    let kinds: Vec<bool> = machine.of("node").iter().map(|node| node.get("kind").is_some()).collect();
    assert_eq!(kinds, [false, false]);
    let text = machine.text();
    let row: Vec<&str> = text.lines().nth(3).unwrap().split_whitespace().collect();
    assert_eq!(row, ["1", "-", "none", "4.0", "GiB", "4.0", "GiB", "-", "-", "-", "-", "-", "20", "10"]);
    // Without weights of the kernel, the plain interleave.
    let all = kind_of(&machine.policy(), "all");
    assert_eq!(all, Kind::Numa { nodes: vec![0, 1], policy: NumaPolicy::Interleave });
}

#[test]
fn a_little_faster_is_not_hbm() {
    let machine = Machine::new("machine-near");
    machine.node(0, "0-3", [16, 8], "10 20", Some([100_000, 1, 1, 1]));
    machine.node(1, "", [4, 4], "20 10", Some([120_000, 1, 1, 1]));
    assert!(machine.of("node").iter().all(|node| node.get("kind").is_none()));
}

/// CXL memory that has become node 1, more of it and persistent memory as devices, one that may not be used, file systems with DAX.
fn cxl() -> Machine {
    let machine = Machine::new("machine-cxl");
    machine.node(0, "0-31", [256, 100], "10 14 14", Some([200_000, 190_000, 90, 90]));
    machine.node(1, "", [128, 128], "14 10 20", Some([50_000, 40_000, 250, 260]));
    machine.node(2, "", [8, 8], "14 20 10", None);
    machine.file("proc/self/status", "Mems_allowed_list:\t0-1\n");
    let device = |name: &str, target: &str, driver: &str, numbers: [&str; 3]| {
        let folder = format!("sys/bus/dax/devices/{target}");
        for (file, text) in ["size", "align", "target_node"].iter().zip(numbers) {
            machine.file(&format!("{folder}/{file}"), &format!("{text}\n"));
        }
        machine.link(&format!("{folder}/driver"), &format!("/sys/bus/dax/drivers/{driver}"));
        machine.link(&format!("sys/bus/dax/devices/{name}"), target);
    };
    let size = (128u64 << 30).to_string();
    let root = "../../../devices/platform/ACPI0017:00/root0/decoder0.0";
    device("dax0.0", &format!("{root}/region0/dax_region0/dax0.0"), "kmem", [&size, "2097152", "1"]);
    device("dax1.0", &format!("{root}/region1/dax_region1/dax1.0"), "device_dax", [&size, "2097152", "3"]);
    device("dax2.0", "../../../devices/LNXSYSTM:00/ndbus0/region2/dax2.0", "device_dax", [&size, "4096", "-1"]);
    device("dax3.0", "../../../devices/platform/hmem.0/dax3.0", "device_dax", [&size, "4096", "4"]);
    machine.file("dev/dax1.0", "");
    machine.file("dev/dax2.0", "");
    fs::create_dir_all(machine.0.join("mnt/pm em\"0")).unwrap();
    let mounts = [
        r#"/dev/pmem0 /mnt/pm\040em"0 ext4 rw,relatime,dax=always 0 0"#,
        "/dev/vda / ext4 rw,relatime 0 0",
        "/dev/sdb /srv/direct xfs rw,dax=inode 0 0",
        "/dev/pmem1 /mnt/cached ext4 rw,dax=never 0 0",
        "/dev/pmem2 /mnt/read-only ext4 ro,dax 0 0",
        "tmpfs /run/lock tmpfs rw 0 0",
        "tmpfs /dev/shm tmpfs rw 0 0",
        "tmpfs /tmp/a\u{1b}[2J\u{202e} tmpfs rw 0 0",
        "tmpfs /tmp/b tmpfs ro 0 0",
    ];
    machine.file("proc/self/mounts", &(mounts.join("\n") + "\n"));
    machine
}

#[test]
fn a_machine_with_cxl_and_persistent_memory() {
    let machine = cxl();
    let nodes = machine.of("node");
    let kinds: Vec<_> = nodes.iter().map(|node| (node["kind"].as_str(), node["kind_by"].as_str())).collect();
    assert_eq!(kinds, [(None, None), (Some("CXL"), Some("device")), (None, None)]);
    let dax: Vec<_> = machine.of("dax").iter().map(|dax| dax["kind"].as_str().unwrap_or("-").to_owned()).collect();
    assert_eq!(dax, ["CXL", "CXL", "PMEM", "reserved"]);
    // -1 is no node.
    assert_eq!(machine.of("dax")[2].get("node"), None);
    let mounts = machine.of("mount");
    let paths: Vec<_> = mounts.iter().map(|mount| mount["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths, ["/mnt/pm em\"0", "/srv/direct", "/mnt/cached", "/dev/shm", r"/tmp/a\x1b[2J\xe2\x80\xae"],);
    assert!(mounts[0]["free_bytes"].as_u64().is_some() && mounts[1].get("free_bytes").is_none());
    let text = machine.text();
    assert!(!text.contains(['\u{1b}', '\u{202e}']) && text.contains("(not for this process)"), "{text}");
    let policy = machine.policy();
    let names: Vec<&str> = policy.tiers.iter().map(|tier| tier.name.as_str()).collect();
    // Not the node that may not be used, not the device that has become a node, not the one without a file.
    let expected =
        ["heap", "node0", "cxl1", "all", "dax1_0", "dax2_0", "pm_em_0", "direct", "cached", "shm", "a__2J___", "memfd"];
    assert_eq!(names, expected);
    assert_eq!(kind_of(&policy, "pm_em_0"), Kind::File { path: b"/mnt/pm em\"0".to_vec() });
    assert_eq!(kind_of(&policy, "a__2J___"), Kind::File { path: "/tmp/a\u{1b}[2J\u{202e}".into() });
    assert_eq!(kind_of(&policy, "all"), Kind::Numa { nodes: vec![0, 1], policy: NumaPolicy::Interleave });
}

#[test]
fn a_machine_that_says_nothing() {
    let root = built::directory("machine-silent");
    let (stdout, stderr, code) = parts(&output(&["tiers", "--sysfs", root.to_str().unwrap()]));
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert!(stdout.starts_with("NUMA nodes: -\n") && stdout.contains("memfd: -\n"), "{stdout}");
    assert!(stdout.ends_with("for a rule file (nothing):\n"), "{stdout}");
    // This one, whatever it is.
    let (stdout, stderr, code) = parts(&output(&["tiers"]));
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(stdout.starts_with("NUMA nodes: -"), !Path::new("/sys/devices/system/node/node0").exists());
}
