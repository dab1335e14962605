# The .venv of this checkout holds exactly what the lock file says, or it is made to.
#
# Sourced by the other scripts. `prepare requirements.lock` gives a $python that has the pinned
# packages and the project itself. A stamp, written last, names everything that the installation
# depends on: a second call only compares it, and an interrupted installation leaves none, so that
# the next call starts afresh. Only messages for people leave here, on standard error.
# shellcheck shell=bash

root=$(CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
python=$venv/bin/python
unset PYTHONHOME PYTHONPATH

prepare() {
    local lock=$1 base
    is_installed "$lock" && return

    base=$(fitting_python || true)
    [ -n "$base" ] || fail 69 "No Python 3.11 to 3.14 is on this computer." "$(python_advice)"
    mkdir -p "$venv" || fail 73 "$venv cannot be made." "Is the folder writable, the disk full?"
    exec 9>"$venv/lock"
    "$base" -c "$one_at_a_time"
    is_installed "$lock" || install "$lock" "$base"
    exec 9>&-
}

is_installed() {
    stamp 2>/dev/null | cmp -s - "$venv/$1.stamp"
}

stamp() {
    printf '%s\n' "$root"
    "$python" -V 2>&1 || true
    cat "$root/pyproject.toml" "$root/config/requirements.lock" "$root/config/requirements-dev.lock"
}

install() {
    local lock=$1 base=$2 started=$SECONDS
    if [ -f "$venv/requirements.lock.stamp" ] && "$python" -c 'import pip, setuptools' 2>/dev/null
    then
        say "The pins have changed: installing what is new."
    else
        say "Setting up .venv with $("$base" -V) ($base), first time only."
        find "$venv" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
        "$base" -m venv "$venv" || fail 73 "$venv cannot be made." "The lines above say why."
        say "Installing $(grep -c '^[a-z]' "$root/config/$lock") pinned packages, a minute or so."
    fi
    rm -f "$venv"/*.stamp

    # The project is built by the setuptools of the lock file: nothing unpinned ever runs.
    pip_install --require-hashes --only-binary :all: -r "$root/config/$lock"
    pip_install --no-build-isolation -e "$root"

    stamp >"$venv/requirements.lock.stamp"
    [ "$lock" = requirements.lock ] || stamp >"$venv/$lock.stamp"
    say "Ready after $((SECONDS - started)) s."
}

pip_install() {
    local log=$venv/pip.log
    if ! "$python" -m pip install --disable-pip-version-check --no-deps "$@" 2>"$log" | progress
    then
        tail -n 20 "$log" >&2
        fail 69 "The packages could not be installed." \
            "The lines above say why; with the network back, run the same command again."
    fi
}

progress() {
    local word package rest
    while read -r word package rest; do
        if [ "$word" = Collecting ] && [ -t 2 ]; then
            printf '\r\033[K  %s' "$package" >&2
        fi
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

fitting_python() {
    local candidate
    candidates | while IFS= read -r candidate; do
        if fits "$candidate" </dev/null; then
            printf '%s\n' "$candidate"
            break
        fi
    done
}

candidates() {
    local version
    for version in 3.13 3.12 3.11 3 3.14; do
        command -v "python$version" || true
    done
    for version in 3.13 3.12 3.11 3.14; do
        printf '%s\n' \
            "/opt/homebrew/bin/python$version" \
            "/usr/local/bin/python$version" \
            "/Library/Frameworks/Python.framework/Versions/$version/bin/python$version" \
            "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python
    done
}

fits() {
    [ -x "$1" ] || return 1
    # Apple's own is too old, and where it is only a stub it opens an installer's window.
    [ "$(uname)" != Darwin ] || [ "$1" != /usr/bin/python3 ] || return 1
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
        >/dev/null 2>&1
}

python_advice() {
    if [ "$(uname)" = Darwin ]; then
        echo "A stock Mac has none that fits. Install Python 3.13 with the macOS installer of" \
            "https://www.python.org/downloads/macos/ (it needs nothing else, and its SQLite is" \
            "newer than Apple's), then run the same command again."
    else
        echo "Install your distribution's python3 (3.11 to 3.14) and python3-venv, on Debian and" \
            "Ubuntu: sudo apt-get install python3 python3-venv; then run the same command again."
    fi
}

# The lock belongs to descriptor 9 of this shell, so that it ends with us, however we end.
one_at_a_time='
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Another set-up of this folder is running: waiting for it.", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
'

say() {
    printf '%s\n' "$1" >&2
}

fail() {
    say "$2 $3"
    exit "$1"
}
