# Sourced by every script. What a script is told comes by environment variables and mounted files, is checked here, and
# reaches SQL only in quotes. Passwords and hashes go from file to pipe: never into arguments, the environment, logs or
# reports. Functions that can fail set a variable rather than print, so that the script ends where it failed, and not
# just a subshell. Bash 4.2 and coreutils 8.22, as in images of MySQL 5.7, are enough.
set -euo pipefail
export LC_ALL=C
umask 077
unset MYSQL_HOST MYSQL_PWD MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_GROUP_SUFFIX

readonly CLIENT_CNF=/etc/mysql-operator/client/client.cnf
readonly CREDENTIALS=/etc/mysql-operator/credentials
# One line of JSON, which the kubelet puts into the pod's status.
readonly REPORT=/dev/termination-log
# The last line that mysqldump writes; a date may follow.
readonly COMPLETE='-- Dump completed'
readonly SYSTEM_SCHEMAS="'mysql', 'information_schema', 'performance_schema', 'sys', 'ndbinfo', 'mysql_operator'"
readonly COUNT_TABLES="SELECT COUNT(*) FROM information_schema.tables
  WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ($SYSTEM_SCHEMAS);"

say() { printf '%s\n' "$*"; }

# A JSON string of printable ASCII: everything else becomes "?".
json() {
  local text=${1//[^[:print:]]/?}
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# A JSON list of at most 20 of the given strings, cut to 100 characters each: a report may have 4096 bytes in all.
json_list() {
  local separator='' item shown=0
  printf '['
  for item in "$@"; do
    if ((shown == 20)); then
      printf ',%s' "$(json "and $(($# - shown)) more")"
      break
    fi
    printf '%s%s' "$separator" "$(json "${item:0:100}")"
    separator=,
    shown=$((shown + 1))
  done
  printf ']'
}

report() { printf '%s\n' "$1" >"$REPORT"; }

# Ends the script with a reason that says what to do.
die() {
  report "{\"error\":$(json "${1:0:1000}")}"
  printf 'failed: %s\n' "$1" >&2
  exit 1
}

# Every end but a good one leaves a reason behind.
report_failures() {
  : >"$REPORT"
  trap 'report_end $?' EXIT
}
report_end() { [[ $1 == 0 || -s $REPORT ]] || report "{\"error\":\"${0##*/} ended early: see the log of this pod\"}"; }

# require NAME PATTERN: the variable is set and matches, or the script ends. The value is not shown.
require() {
  [[ ${!1-} =~ $2 ]] || die "$1 is not what this script takes: the operator should have refused it"
}

readonly UID_PATTERN='^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
require_claim_uid() { require CLAIM_UID "$UID_PATTERN"; }
require_instance() { require INSTANCE '^[a-z][a-z0-9-]{0,38}[a-z0-9]$'; }
require_backups() {
  require BACKUPS '^/backup-[a-z0-9-]+-pv$'
  # A claim that cannot be read must not look like one without dumps.
  ls -A "$BACKUPS" >/dev/null || die "the backup volume cannot be read: look at claim backup-$INSTANCE-pvc"
}
require_account() { require ACCOUNT '^[A-Za-z0-9_.-]{1,32}$'; }
require_database() {
  require DATABASE '^[A-Za-z0-9_][A-Za-z0-9_$-]{0,63}$'
  [[ $SYSTEM_SCHEMAS != *"'${DATABASE,,}'"* ]] || die 'DATABASE is a system schema: the operator should have refused it'
}

# How every script speaks with a server.
readonly CLIENT_OPTIONS=(
  --connect-timeout=10 --default-character-set=utf8mb4 --max-allowed-packet=1G --local-infile=0 --batch --raw --skip-column-names
  --init-command="SET SESSION sql_mode = '', autocommit = 1, wait_timeout = 86400"
)

# What ends a client whose server does not answer; nothing, where a statement may take any time.
patience=()

# A client of the server that this Job is for; SQL comes by stdin.
server() {
  ${patience[@]+"${patience[@]}"} mysql --defaults-file="$CLIENT_CNF" --host="$SERVER" --port=3306 --protocol=TCP "${CLIENT_OPTIONS[@]}" "$@"
}

# Runs SQL without secrets in it; sets `answer`.
ask() {
  answer=$(printf '%s\n' "$1" | server) || die 'the server refused a statement or went away: see the log of this pod'
}

# secretly SQL FAILURE: runs SQL that holds hashes. The server's words may quote them: only an error's numbers are shown.
secretly() {
  local said
  if ! said=$(printf '%s\n' "$1" | server 2>&1 >/dev/null); then
    [[ $said =~ ERROR\ [0-9]+\ \([0-9A-Z]+\)(\ at\ line\ [0-9]+)? ]] || die "$2: the client gave no error number"
    die "$2: ${BASH_REMATCH[0]}"
  fi
}

# Waits for as long as it takes, since only the operator knows how long that may be: it gives the Job its deadline. Then
# looks whether it is the right server, and sets `version` to its version as 9.7.4.
wait_for_server() {
  local said='' now patience=(timeout 60)
  require SERVER '^[a-z][a-z0-9.-]*$'
  until now=$(printf 'SELECT 1;\n' | server 2>&1); do
    [[ $now == "$said" ]] || say "waiting for $SERVER: $now"
    said=$now
    sleep 2
  done
  ask "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'mysql_operator' AND table_name = 'instance';"
  [[ $answer == 1 ]] || die "$SERVER lacks the table mysql_operator.instance: was its data put there by hand?"
  ask 'SELECT claim_uid FROM mysql_operator.instance;'
  [[ $answer == "$CLAIM_UID" ]] ||
    die "$SERVER runs on another volume than the one that this Job was made for: nothing was changed"
  ask 'SELECT VERSION();'
  [[ $answer =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || die 'the server does not say its version: nothing was changed'
  version=${BASH_REMATCH[0]}
  say "connected to $SERVER, version $version"
}

# Sets `state` to the mark: pending until the restore is over, then done.
read_mark() {
  ask 'SELECT state FROM mysql_operator.instance;'
  state=$answer
}

# at_least MAJOR MINOR PATCH: is the server's version?
at_least() {
  local major minor patch
  IFS=. read -r major minor patch <<<"$version"
  ((major * 1000000 + minor * 1000 + patch >= $1 * 1000000 + $2 * 1000 + $3))
}

has_credential() { [[ -e $CREDENTIALS/$1/plugin ]]; }

# Sets `identified` to the clause with an account's mounted hash.
read_credential() {
  local plugin literal
  plugin=$(<"$CREDENTIALS/$1/plugin")
  literal=$(<"$CREDENTIALS/$1/password")
  if [[ $plugin == caching_sha2_password && $literal =~ ^0x([0-9A-F]{140}|[0-9A-F]{230})$ ]]; then
    identified="IDENTIFIED WITH '$plugin' AS $literal"
  elif [[ $plugin == mysql_native_password && $literal =~ ^\*[0-9A-F]{40}$ ]]; then
    identified="IDENTIFIED WITH '$plugin' AS '$literal'"
  else
    die "the Secret with the password hash of $1 is malformed: set the password again"
  fi
}

# Who a mounted credential is for, as 'name'@'host', one a line.
names_of() {
  case $1 in
    root) printf '%s\n' "'root'@'%'" "'root'@'localhost'" ;;
    user) printf '%s\n' "'$ACCOUNT'@'%'" ;;
  esac
}

# grant_to WHO ACCOUNT: sets `grant` to the statement that gives an account its rights.
grant_to() {
  local pattern=$DATABASE
  if [[ $2 == root ]]; then
    grant="GRANT ALL ON *.* TO $1 WITH GRANT OPTION;"
    return
  fi
  # In a GRANT "_" stands for any character, but not while partial revokes are on.
  ask "SHOW GLOBAL VARIABLES LIKE 'partial_revokes';"
  [[ $answer == *ON ]] || pattern=${DATABASE//_/\\_}
  grant="GRANT ALL ON \`$pattern\`.* TO $1;"
}
