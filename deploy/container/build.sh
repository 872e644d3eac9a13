#!/bin/sh
# Makes the image of a release: build.sh WHEEL FOLDER [IMAGE], such as
#   deploy/container/build.sh dist/gliowatch-*.whl /var/tmp/gliowatch-image localhost/gliowatch
# FOLDER gets rootfs.tar: Debian's packages of packages.txt, as mmdebstrap installs them, and the
# wheel with its packages of constraints.txt. With IMAGE, buildah makes an image of it; no registry
# is asked. Run it as root.
# Debian drops versions that it has replaced: apt then says so, and packages.txt gets the new ones;
# UNPINNED=1 takes what Debian has now. /usr/share/debian-packages.txt of the image lists all.
# PYTHON: with pip; MIRROR: Debian's; WHEELS: a folder of all wheels, else pip fetches them.
# EXTRAS: of gliowatch, such as dicom,workers,oidc,ldap,chat.
set -eu
wheel=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
image=${3:-}
here=$(realpath "$(dirname "$0")")
: "${PYTHON:=python3}" "${MIRROR:=http://deb.debian.org/debian}" "${WHEELS:=}" "${UNPINNED:=}"
: "${EXTRAS:=dicom,workers}"

if [ -z "$WHEELS" ]; then
    WHEELS=$folder/wheels
    # For the Python of the image, whatever this one is.
    "$PYTHON" -m pip download -q -d "$WHEELS" --only-binary :all: --python-version 3.11 \
        -c "$here/../../constraints.txt" "$wheel[$EXTRAS]" pip
fi

packages=$(paste -s -d, "$here/packages.txt")
if [ -n "$UNPINNED" ]; then
    packages=$(cut -d= -f1 "$here/packages.txt" | paste -s -d,)
fi
install='chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -eu -c "
    python3 -m venv --without-pip /opt/gliowatch/.venv
    python=/opt/gliowatch/.venv/bin/python
    pip=\$(echo /wheels/pip-*.whl)/pip
    \$python \$pip install -q --no-cache-dir --no-index --find-links /wheels gliowatch['$EXTRAS']
    echo gliowatch:x:10001:10001::/data:/usr/sbin/nologin >> /etc/passwd
    echo gliowatch:x:10001: >> /etc/group
    mkdir -p /etc/gliowatch /inbox /outbox /data
    cp /opt/gliowatch/.venv/lib/python3.*/site-packages/daemon/settings.toml /etc/gliowatch/
    chown 10001:10001 /inbox /outbox /data
    dpkg-query -W > /usr/share/debian-packages.txt"'
mmdebstrap --quiet --variant=essential \
    --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='mkdir "$1/wheels"' \
    --customize-hook="sync-in '$WHEELS' /wheels" \
    --customize-hook="upload '$wheel' '/wheels/$(basename "$wheel")'" \
    --customize-hook="$install" \
    --customize-hook='rm -rf "$1/wheels"' \
    bookworm "$folder/rootfs.tar" "deb $MIRROR bookworm main" "deb $MIRROR bookworm-updates main" \
    "deb $MIRROR-security bookworm-security main"

if [ -n "$image" ]; then
    # Docker's format: that of OCI knows no health check.
    buildah build --quiet --isolation chroot --format docker -t "$image" -f "$here/Containerfile" "$folder"
fi
