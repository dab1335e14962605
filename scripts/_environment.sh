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
    look
    is_stamped "$lock" || locked install "$lock"
    is_stamped requirements-train.lock || is_stamped no-training || locked install_training
}

# One at a time; who had to wait finds the work done.
locked() {
    local base
    base=$(fitting_python || true)
    [ -n "$base" ] || fail 69 "No Python 3.11 to 3.14 is on this computer." "$(python_advice)"
    mkdir -p "$venv" || fail 73 "$venv cannot be made." "Is the folder writable, the disk full?"
    exec 9>"$venv/lock"
    "$base" -c "$one_at_a_time"
    look
    "$@"
    look
    exec 9>&-
}

look() {
    seen=$(stamp 2>/dev/null)
}

is_stamped() {
    [ "$seen" = "$(cat "$venv/$1.stamp" 2>/dev/null)" ]
}

stamp() {
    printf '%s\n' "$root"
    "$python" -V 2>&1 || true
    cat "$root/pyproject.toml" "$root"/config/requirements*.lock
}

install() {
    local lock=$1 started=$SECONDS
    if is_stamped "$lock"; then return; fi
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

# What trains models is large and not made for every computer: without it all else works.
install_training() {
    local started=$SECONDS cpu=https://download.pytorch.org/whl/cpu
    if is_stamped requirements-train.lock || is_stamped no-training; then return; fi
    say "Installing what trains models (torch, 200 MB), first time only."
    set -- --require-hashes --only-binary :all: -r "$root/config/requirements-train.lock"
    if pip_tries "$@" || pip_tries --extra-index-url "$cpu" "$@"; then
        stamp >"$venv/requirements-train.lock.stamp"
        say "Ready to train after $((SECONDS - started)) s."
    else
        tail -n 1 "$venv/pip.log" >&2
        stamp >"$venv/no-training.stamp"
        say "No model can be trained here: the baseline trades. torch is made for macOS 14 and" \
            "later on Apple silicon, and for Linux on x86-64 with Python 3.11." \
            "To try again: rm $venv/no-training.stamp"
    fi
}

pip_install() {
    if ! pip_tries "$@"; then
        tail -n 20 "$venv/pip.log" >&2
        fail 69 "The packages could not be installed." \
            "The lines above say why; with the network back, run the same command again."
    fi
}

pip_tries() {
    "$python" -m pip install --disable-pip-version-check --no-deps "$@" 2>"$venv/pip.log" | progress
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
    local versions="3.13 3.12 3.11 3 3.14"
    [ "$(uname)" = Darwin ] || versions="3.11 3.13 3.12 3 3.14" # torch's CPU build is for 3.11
    for version in $versions; do
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
    printf '%s\n' "$*" >&2
}

fail() {
    say "$2 $3"
    exit "$1"
}
