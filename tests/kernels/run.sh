#!/usr/bin/env bash
# Builds the checks of this folder and runs them: every kernel, and a small training, on every table, bit for bit like the portable one.
#
#   native    the tables this machine runs, and `wide`: AVX-512's sixteen lanes and its tile, compiled without AVX-512
#   aarch64   portable and NEON, cross-compiled and run by qemu-user; their digests must be those of the portable kernels here
#
# Usage: tests/kernels/run.sh native|aarch64 [folder]
# Keeps what it builds in the folder, if one is given; aarch64 compares with the native results that are there, or makes them first.
# By environment: CC, CFLAGS, WIDE_CFLAGS (for `wide` alone), TABLES (a folder of tables that are built already), AARCH64_CC, AARCH64_RUN.
set -euo pipefail

target=${1:-}
if [[ $target != native && $target != aarch64 ]]; then
    sed -n 's/^# Usage/usage/p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
sources=$here/../../src
folder=${2:-}
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
# The portable code is slow anyway; without forced inlining it compiles in seconds.
portable=-DFM_COMPACT
wide="$portable -DV_LANES=16 -DFM_MR=12 -DFM_NR_PANELS=2"

flags_of() {
    case $1 in
    avx2) echo -mavx2 -mfma ;;
    avx512) echo -mprfchw -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma ;;
    portable) echo $portable ;;
    esac
}

# compile OUTPUT [FLAG …] SOURCE …: in the background; `finish` waits for all of them.
compile() {
    # shellcheck disable=SC2086 # these hold several flags
    $compiler -std=gnu11 -O2 -ffp-contract=off -fno-math-errno -Wall -Wextra "-I$sources" '-DFASTMLP_VERSION="check"' $have ${CFLAGS:-} \
        -o "$@" &
    jobs="$jobs $!"
}
finish() {
    local job
    for job in $jobs; do wait "$job"; done
    jobs=
}

# kernels FOLDER ISA PRIMITIVES [FLAG …]: all kernels of an instruction set.
kernels() {
    local out=$1 isa=$2 primitives=$3 goal
    shift 3
    for goal in speed size compactness; do
        compile "$out/${isa}_for_$goal.o" "$@" "-DFM_ISA_NAME=$isa" "-DFM_ISA_HEADER=\"isa/$primitives.h\"" -c "$sources/kernels/for_$goal.c"
    done
}

# build FOLDER ARCHITECTURE [LINK FLAG]
# shellcheck disable=SC2046,SC2086 # several flags in one variable
build() {
    local out=$1 isa isas
    case $2 in
    x86_64 | amd64) isas="portable avx2 avx512" have="-DFASTMLP_HAVE_AVX2 -DFASTMLP_HAVE_AVX512" ;;
    aarch64 | arm64) isas="portable neon" have=-DFASTMLP_HAVE_NEON ;;
    *) isas=portable have='' ;;
    esac
    jobs=
    mkdir -p "$out/tables"
    if [[ -n ${TABLES:-} ]]; then
        cp "$TABLES"/*.o "$out/tables"
    else
        for isa in $isas; do
            kernels "$out/tables" "$isa" "$isa" $(flags_of "$isa")
        done
        compile "$out/tables/dispatch.o" -c "$sources/kernels/dispatch.c"
    fi
    kernels "$out" wide portable $wide ${WIDE_CFLAGS:-}
    finish
    compile "$out/check_kernels" "$here/check_kernels.c" "$out"/wide_for_*.o "$out"/tables/*.o ${3:-} -lm
    compile "$out/check_training" "$here/check_training.c" "$sources"/engine/*/*.c "$out"/tables/*.o ${3:-} -lm -pthread
    finish
}

# check FOLDER [EMULATOR]: runs both programs, and keeps their digests in FOLDER/digests.
check() {
    local out=$1 program
    shift
    rm -f "$out/digests"
    for program in check_kernels check_training; do
        echo "$(basename "$out"): $program"
        "$@" "$out/$program" | tee "$out/$program.txt" | grep -v '^digest '
    done
    cat "$out"/check_*.txt | grep '^digest ' >"$out/digests"
}

if [[ $target == native || ! -e $folder/native/digests ]]; then
    compiler=${CC:-cc}
    build "$folder/native" "$(uname -m)"
    check "$folder/native"
fi
if [[ $target == aarch64 ]]; then
    compiler=${AARCH64_CC:-aarch64-linux-gnu-gcc}
    build "$folder/aarch64" aarch64 -static
    # shellcheck disable=SC2086 # an emulator may have options
    check "$folder/aarch64" ${AARCH64_RUN:-qemu-aarch64}
    if ! diff "$folder/native/digests" "$folder/aarch64/digests"; then
        echo "aarch64 gives other bits than this machine" >&2
        exit 1
    fi
    echo "aarch64: $(grep -c . "$folder/aarch64/digests") digests like this machine's"
fi
