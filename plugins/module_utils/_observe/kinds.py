# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What kind of error a text is: of a program's own files, arguments and settings, and of the cluster that it asks.

The texts are those of Go's os, net, flag, time and strconv, of client-go and apimachinery, and of the most usual
readers of flags and settings. What a text says about
something that the program connects to is read by C(contacts).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

VARIABLE = r"[A-Z][A-Z0-9_]{2,}"
# The more special ones first; a text has the kind of the first one that matches. What names something comes before
# looser words of the same kind: those may begin further to the left.
KINDS: tuple[tuple[str, str], ...] = (
    ("expansion", r"\$\((?P<what>[A-Za-z_][\w.\-]*)\)"),
    ("open-files", r"too many open files"),
    ("disk-full", r"no space left on device|disk quota exceeded|No space left on device"),
    ("resource-limit", r"resource temporarily unavailable|cannot allocate memory|fork/exec .*: (?:resource|cannot)"),
    ("port-in-use", r"bind: address already in use|EADDRINUSE|Address already in use"),
    ("port-not-allowed", r"bind: permission denied|listen EACCES"),
    ("address-not-available", r"bind: cannot assign requested address|EADDRNOTAVAIL"),
    ("time-zone", r"unknown time zone (?P<what>\S+)"),
    (
        "token",
        r"unable to load in-cluster configuration|serviceaccount/token: no such file|not running in-?cluster|"
        r"invalid configuration: no configuration has been provided|"
        r"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT",
    ),
    (
        "kind-missing",
        r'no (?:kind )?match(?:es)? for kind "?(?P<what>[\w.]+)"?(?: in (?:version|group) "?(?P<version>[\w./-]+)"?)?|'
        r'customresourcedefinitions?\S* "(?P<crd>[^"]+)" not found|the server could not find the requested resource|'
        r"no matches for (?P<gvr>[\w.]+/\w+(?:, (?:Resource|Kind)=\w+)?)",
    ),
    ("rbac", r'is forbidden: User "(?P<user>[^"]+)" cannot (?P<verb>[\w-]+) resource "(?P<resource>[^"]+)"'),
    ("rbac", r'is forbidden: User "(?P<user>[^"]+)" cannot|forbidden: not yet ready to handle request'),
    (
        "argument",
        r"flag provided but not defined: ?(?P<what>\S+)|unknown (?:shorthand )?flag: .*|unknown (?:shorthand )?flag|"
        r"flag needs an argument|unknown command \"(?P<command>[^\"]+)\"|unrecognized arguments?:|"
        r"invalid (?:value|argument) .* for (?:flag|\S*--?\w)|(?:unknown|unrecognized|invalid) option",
    ),
    ("read-only", r"read-only file system"),
    (
        "file-permission",
        r"(?:open|mkdir|create|stat|chmod|lstat|unlinkat|rename|unlink|readdirent|symlink) (?P<path>\S+?):"
        r" permission denied|"
        r"EACCES: permission denied|[Pp]ermission denied: '(?P<other>[^']+)'",
    ),
    (
        "not-permitted",
        r"(?:chown|setuid|setgid|setgroups|mount|mknod|setrlimit|ioctl|open) ?\S*: operation not permitted",
    ),
    ("file-wrong", r"(?:open|read|readdirent|fdopendir|stat|mkdir) (?P<path>\S+?): (?:is a directory|not a directory)"),
    (
        "file-missing",
        r"(?:open|stat|lstat|read|readlink|chdir|fork/exec) (?P<path>[^\s:]+): no such file or directory|"
        r"ENOENT: no such file or directory, \w+ '(?P<node>[^']+)'|No such file or directory: '(?P<python>[^']+)'|"
        r'Config File "(?P<viper>[^"]+)" Not Found',
    ),
    (
        "file-missing",
        r"(?:open|stat|lstat|read|cannot read|config(?:uration)? file)\b.*(?:no such file or directory|not found)",
    ),
    (
        "certificate-file",
        r"tls: failed to find any PEM data|tls: private key does not match public key|asn1: structure error|"
        r"tls: failed to parse private key|x509: malformed certificate|x509: unsupported elliptic",
    ),
    (
        "variable-missing",
        rf"(?i:required key) (?P<key>{VARIABLE}) (?i:missing value)|"
        rf'(?i:required environment variable) "(?P<required>{VARIABLE})"|'
        rf'(?i:environment variable) "?(?P<variable>{VARIABLE})"?\b.*(?i:required|not set|missing|empty|must|is not)|'
        rf"(?i:variable) \$?(?P<plain>{VARIABLE}) (?i:is )?(?i:not set|required|missing|empty)|"
        rf"\b(?P<name>{VARIABLE}) (?:environment variable )?(?:is|must be|was|has to be)?\s?"
        r"(?:required|not set|set|missing|empty|unset|undefined|not defined|not provided)\b|"
        rf"(?i:(?:required|missing|empty|undefined).*(?:environment )?variable):? ?(?P<after>{VARIABLE})",
    ),
    (
        "variable-missing",
        r"(?i:environment variable .*(?:required|not set|missing|empty))|"
        r"(?i:(?:required|missing).* (?:environment )?variable)",
    ),
    (
        "malformed",
        r"parse error on field \"(?P<field>\w+)\"|assigning (?P<key>\w+) to \w+: converting '(?P<given>[^']*)'|"
        r'strconv\.\w+: parsing "(?P<value>[^"]*)": (?:invalid syntax|value out of range)|'
        r"time: (?:missing unit in|invalid|unknown unit .* in) duration \"?(?P<duration>[^\"]*)\"?|"
        r"unsupported protocol scheme \"(?P<scheme>[^\"]*)\"|no Host in request URL|"
        r"parse \"?(?P<url>\S*?)\"?: (?:first path segment|invalid (?:port|character|control|URL|userinfo)|"
        r"missing protocol|net/url)|"
        r"address (?P<address>\S+): (?:missing port|too many colons)|invalid port (?P<port>\S+)|"
        r"lookup tcp/(?P<service>\S+): |listen tcp: address \S+: invalid port|unknown port|"
        r"cannot parse `(?P<dsn>[^`]*)`|invalid DSN|default addr for network '\S+' unknown|invalid connection string|"
        r"redis: invalid URL scheme|AMQP scheme must be|error parsing uri|unknown network \S+|"
        r"json: (?:cannot unmarshal|unknown field)|unexpected end of JSON input|"
        r"invalid character .* (?:looking for|after|in)|"
        r"yaml: |cannot unmarshal|toml: |did not find expected|unmarshal errors",
    ),
    (
        "malformed",
        r"(?i:(?:invalid|bad|missing|incomplete) (?:\w+ ){0,3}config)|"
        r"(?i:(?:failed to|cannot|could not|error|unable to) (?:load|parse|read|validat|decod)(?:e|ing)?"
        r" (?:\w+ ){0,3}config)|"
        r"(?i:config\S*(?: \w+)?:? .*(?:invalid|missing|required|not set))|(?i:invalid value)",
    ),
)
EMPTY = re.compile(r"parsing \"\"|scheme \"\"|duration \"\"|\"\": |no Host|missing address|unexpected end of JSON")
COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in KINDS)


@dataclass(frozen=True)
class Kind:
    """What kind of error a text is.

    :ivar named: what it names, by the part of the pattern (a path, a variable). :ivar text: the whole text.
    """

    name: str
    named: t.Mapping[str, str]
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the text is about a value that is empty."""
        return EMPTY.search(self.text) is not None

    def what(self, *parts: str) -> str:
        """The first of these parts that the text names."""
        return next((self.named[part] for part in parts if self.named.get(part)), "")


def kind_of(text: str) -> t.Optional[Kind]:
    """Return the kind of an error's text, None where it is none that is known."""
    for name, pattern in COMPILED:
        found = pattern.search(text)
        if found:
            return Kind(name, {key: value for key, value in found.groupdict().items() if value}, text)
    return None
