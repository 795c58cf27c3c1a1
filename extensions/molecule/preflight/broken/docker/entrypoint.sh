#!/bin/sh
mkdir -p /tmp/gateway
/usr/local/bin/gateway "$@"
