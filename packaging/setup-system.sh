#!/bin/sh
# Installs the system packages that `make run` or `make test` needs: by apt when root on Debian or
# Ubuntu, otherwise it says what is missing and how to get it.
#   packaging/setup-system.sh run | test
set -eu

purpose=${1:?say run or test}

# command or file | Debian package | what it is for
needs_run="
python3|python3|everything
python3-venv|python3-venv|the virtual environment
npm|npm|front-end files of the staff page
ip|iproute2|the lab site
nsenter|util-linux|the lab site
libnftables.so.1|libnftables1|the Linux data plane
dnsmasq|dnsmasq-base|names on the lab site
"
needs_test="$needs_run
git|git|the house rules
nft|nftables|looking at the kernel from outside
tc|iproute2|the shaper, from outside
ping|iputils-ping|what an unpaid device tries
ps|procps|that nothing is left running
runuser|util-linux|PostgreSQL as its own user
radclient|freeradius-utils|RADIUS, asked by a foreign client
/usr/lib/postgresql/*/bin/initdb|postgresql|the second database
/usr/lib/chromium/chromium-headless-shell|chromium-headless-shell|the browser journeys
libatomic.so.1|libatomic1|what drives the browser
/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf|fonts-dejavu-core|the browser journeys
"

case $purpose in
run) needs=$needs_run ;;
test) needs=$needs_test ;;
*) echo "setup-system.sh: say run or test, not $purpose" >&2; exit 2 ;;
esac

present() {
    case $1 in
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    lib*.so*) python3 -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "$1" 2>/dev/null ;;
    /*) ls $1 >/dev/null 2>&1 ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing_packages=
missing_lines=
IFS='
'
for line in $needs; do
    thing=${line%%|*}
    rest=${line#*|}
    if ! present "$thing"; then
        missing_packages="$missing_packages ${rest%%|*}"
        missing_lines="$missing_lines
  ${rest%%|*}  (for ${rest#*|})"
    fi
done
unset IFS

[ -n "$missing_packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing:$missing_packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of package names
    apt-get install -y -qq --no-install-recommends $missing_packages >/dev/null
    exit 0
fi

echo "Missing system packages:$missing_lines" >&2
echo "On Debian or Ubuntu:  sudo apt install$missing_packages" >&2
if [ "$purpose" = run ]; then
    # Without root there is no lab site; what remains needs only these.
    present python3 && present python3-venv && present npm && exit 0
fi
exit 1
