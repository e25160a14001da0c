# What the one file is built from, and where it is kept. Sourced by the scripts of this folder, which run in it.
cache=$(cd ../.. && pwd)/.cache/onefile
sources=$cache/sources
crates=$cache/crates # C libraries: their versions and checksums are in sources/Cargo.lock
PATH=$(cd ../.. && pwd)/.venv/bin:$PATH

glibc=2.28
machine=$(uname -m)

zig_version=0.15.2
case $machine in
x86_64)
    zig_platform=manylinux_2_12_x86_64
    zig_wheel=ziglang-0.15.2-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl
    zig_sha256=806316453d1ede7174ed3fefb8e5348154629089c3bb5fe812dfd0e172fac130
    ;;
*)
    echo "onefile: no compiler is pinned for $machine" >&2
    exit 1
    ;;
esac
zig=$cache/zig-$zig_version/ziglang/zig

# Debian carries the security fixes that came after 3.13.5 as patches.
debian_suite=trixie
python_version=3.13.5
python_revision=3.13.5-2+deb13u5
python_archive=python3.13_3.13.5.orig.tar.xz
python_sha256=93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640
python_patches=python3.13_3.13.5-2+deb13u5.debian.tar.xz
patches_sha256=a51f456e654ce2c9b40cc1db8005e5041cdb0b2c3aa96ab0871c49fe95280366

# The C++ library of the extension modules for gRPC, from a Debian that is old enough: it asks for glibc 2.18 at most.
debian_old_suite=bullseye
gcc_revision=10.2.1-6
libstdcxx_package=libstdc++6_10.2.1-6_amd64.deb
libstdcxx_sha256=5c155c58935870bf3b4bfe769116841c0d286a74f59eccfd5645693ac23f06b1
gcc_base_package=gcc-10-base_10.2.1-6_amd64.deb # its licence
gcc_base_sha256=be65535e94f95fbf04b104e8ab36790476f063374430f7dfc6c516cbe2d2cd1e

# For rr plugin. It also installs the packages of the file.
pip_version=26.3
pip_wheel=pip-26.3-py3-none-any.whl
pip_sha256=f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13
