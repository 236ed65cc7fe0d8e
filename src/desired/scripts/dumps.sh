# Sourced by restore.sh and verify.sh: the files on the backup volume, and what they tell without being loaded. A dump
# NAME.sql.gz has its record in NAME.json. One whose verification failed has it in NAME.bad instead, with the reason as
# second line: a rename, since it takes no room on a volume that is full.

# The names of this instance's dumps begin with it, and this is the rest.
readonly STAMP='[0-9]{8}T[0-9]{6}Z'

# contents FILE: the dump as SQL. A mode that 8.0 removed is taken out of the lines that set modes.
contents() {
  unpacked "$1" | sed -E "/^\/\*!50003 SET sql_mode/{s/,NO_AUTO_CREATE_USER//;s/NO_AUTO_CREATE_USER,?//}"
}

unpacked() {
  case $1 in
    *.gz) gzip -dc -- "$BACKUPS/$1" ;;
    *) cat -- "$BACKUPS/$1" ;;
  esac
}

# field NAME JSON: a number, hex digits or a uid from the record of a dump.
field() { [[ $2 =~ \"$1\":\"?([0-9a-f-]+) ]] && printf '%s' "${BASH_REMATCH[1]}"; }

# Sets `sum` to a file's sha256.
sum_of() {
  sum=$(sha256sum <"$1") || return
  sum=${sum%% *}
}

# flaw_found FILE: why its verification failed; nothing if it did not.
flaw_found() {
  local bad=$BACKUPS/${1%.sql.gz}.bad lines
  [[ -e $bad ]] || return 0
  mapfile -t lines <"$bad"
  say "its verification failed: ${lines[1]:-the reason could not be kept}"
}
