#!/bin/sh
# Runs one TypeScript file of the project with the project's own Node 24, on a machine that has nothing but
# some Node with npm: installs the dependencies first when the lockfile is newer than what is installed.
# Everything printed here goes to stderr, so that the program's own output stays clean.
set -eu
cd "$(dirname "$0")/.."
command -v npm >/dev/null 2>&1 || {
  echo "npm is missing: install Node.js 20 or newer (https://nodejs.org), then run this command again." >&2
  exit 1
}
if ! cmp -s package-lock.json node_modules/.installed-from; then
  echo "Installing the project's own tools (npm ci) …" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.installed-from
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
exec node_modules/.bin/node --disable-warning=ExperimentalWarning "$@"
