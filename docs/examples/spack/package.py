"""shim for Spack. Put this file into packages/shim/ of a repository of your own (`spack repo create`), then, with a checkout of the source:

    spack develop --path /path/to/the/checkout shim@main
    spack install shim@main

or, with a clone that Spack may fetch from, SHIM_GIT=file:///path/to/the/clone spack install shim@main. There is no archive and no
checksum here: whoever mirrors the source adds a version with both.
"""

import os

from spack.package import *


class Shim(Package):
    """A resource-lifetime sanitizer for programs that nobody can recompile: libshim.so and the command shim."""

    git = os.environ.get("SHIM_GIT", "")

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("gmake", type="build")
    depends_on("rust@1.88:", type="build")

    conflicts("platform=darwin", msg="shim needs Linux with glibc")

    def install(self, spec, prefix):
        cargo = which("cargo", required=True)
        cargo("build", "--release", "--locked", "--jobs", str(make_jobs))
        # The library, the command and the papers.
        make("install", f"PREFIX={prefix}")

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_both_artifacts(self):
        Executable(join_path(self.prefix.bin, "shim"))("hooks", output=os.devnull)
