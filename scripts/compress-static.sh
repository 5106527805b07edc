#!/bin/sh
# compress-static.sh FOLDER
# Gives each file that collectstatic has compressed by gzip a neighbor made by Brotli, which is a third smaller, and
# keeps what is there under several names once.
set -eu

# Files of the same content are one file with several names meanwhile; at the end all names but one are symbolic links,
# for a COPY does not keep others.
names_by_file() {
  find "$@" -printf '%i %p\n' | sort
}
hardlink --quiet --ignore-time "$1"
names_by_file "$1" -name '*.gz' | while read -r file name; do
  name=${name%.gz}
  if [ "$file" = "${last-}" ]; then
    ln "$first.br" "$name.br"
  else
    brotli --best "$name"
    last=$file first=$name
  fi
done
names_by_file "$1" -type f -links +1 | while read -r file name; do
  if [ "$file" = "${last-}" ]; then
    ln --symbolic --relative --force "$first" "$name"
  else
    last=$file first=$name
  fi
done
