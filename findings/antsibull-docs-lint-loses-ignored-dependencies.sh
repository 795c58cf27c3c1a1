#!/bin/sh
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# antsibull-docs 2.28.0 with ansible-core 2.19.14: `lint-collection-docs --plugin-docs` copies the linted collection and
# those it depends on to a temporary folder, each with the files that git lists. A dependency installed where the
# repository around it is told not to look (a virtual environment or a collections folder in .gitignore, as usual) is
# copied without any file. The module is then said to have an unknown doc fragment, and all that refers to it no module.
# The guess was: a dependency that ansible-doc finds, the lint of the same documentation finds too.
# Seen: ansible-doc shows the module in both places; the lint reports "unknown doc_fragment(s)" with the dependency
# below the checkout, and nothing with the same files elsewhere.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install antsibull-docs==2.28.0 ansible-core==2.19.14
PATH=$folder/venv/bin:$PATH
export HOME="$folder" ANSIBLE_NOCOLOR=1

mkdir -p dependency/example/base/plugins/doc_fragments checkout/plugins/modules checkout/meta
cat > dependency/example/base/galaxy.yml <<'END'
{namespace: example, name: base, version: 1.0.0, readme: README.md, authors: [nobody]}
END
cat > dependency/example/base/plugins/doc_fragments/access.py <<'END'
class ModuleDocFragment:
    DOCUMENTATION = """
options:
  host:
    description: Where it is.
    type: str
"""
END
cat > checkout/galaxy.yml <<'END'
{namespace: example, name: top, version: 1.0.0, readme: README.md, authors: [nobody], dependencies: {example.base: "*"}}
END
cat > checkout/plugins/modules/look.py <<'END'
DOCUMENTATION = """
module: look
short_description: Look
description: Look there.
author: nobody (@nobody)
extends_documentation_fragment: [example.base.access]
"""
EXAMPLES = "- example.top.look:"
RETURN = ""
END
git init --quiet checkout
echo /installed/ > checkout/.gitignore

# ansible-doc finds both collections below one path
look() {
    mkdir -p "$1/ansible_collections"
    cp -R dependency/example "$1/ansible_collections/"
    ln -s "$folder/checkout" "$1/ansible_collections/example/top"
    cd checkout
    ANSIBLE_COLLECTIONS_PATH=$1 ansible-doc --type module example.top.look | grep -c 'host  *Where it is'
    ANSIBLE_COLLECTIONS_PATH=$1 antsibull-docs lint-collection-docs --plugin-docs . > "$folder/$2.txt" 2>&1 || true
    cd ..
}
look "$folder/checkout/installed" ignored
look "$folder/elsewhere" elsewhere
echo "below the checkout, ignored by git: $(cat ignored.txt)"
echo "elsewhere: $(cat elsewhere.txt)"
grep -q 'unknown doc_fragment(s).*example.base.access' ignored.txt
[ ! -s elsewhere.txt ]
echo "as described"
