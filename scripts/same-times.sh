#!/bin/sh
# same-times.sh SINCE FOLDER...
# Gives what a build has made in the folders, after it made the file SINCE, the time of the newest file that was there
# before: so two builds of the same parts give the same layers, and another build with other parts gives other times,
# by which nginx tells that a static file has changed.
set -eu
since=$1
shift
newest=$(find "$@" -type f ! -newer "$since" -printf '%Ts\n' | sort -n | tail -n 1)
find "$@" -newermt "@$newest" -exec touch --no-dereference --date="@$newest" {} +
