# Sourced by backup.sh, after dumps.sh: which older dumps go once a new one is whole.

# is_own BASE: was this dump made for this very resource? What its .json does not say is not ours to remove.
is_own() {
  local record
  [[ -f $BACKUPS/$1.json ]] && record=$(cat -- "$BACKUPS/$1.json" 2>/dev/null) || return 1
  [[ $record == "{\"file\":\"$1.sql.gz\","*"}" && $record == *"\"ownerUid\":\"$OWNER_UID\""* ]]
}

# remove_dump BASE: the .json goes last, so that what is interrupted is gone on with the next time.
remove_dump() {
  rm -f -- "$BACKUPS/$1.sql.gz" && rm -f -- "$BACKUPS/$1.accounts.sql.gz" && rm -f -- "$BACKUPS/$1.json"
}

# keep_newest BASE: of this resource's own dumps the newest KEEP stay. BASE, just made and checked, is the newest whatever
# the clocks of other nodes said. Dumps of former resources of this name are neither counted nor removed.
keep_newest() {
  local path base i own=()
  for path in "$BACKUPS/$INSTANCE"-*.json; do
    base=${path##*/}
    base=${base%.json}
    [[ ${base#"$INSTANCE-"} =~ ^$STAMP$ && $base != "$1" ]] || continue
    ! is_own "$base" || own+=("$base")
  done
  for ((i = 0; i <= ${#own[@]} - KEEP; i++)); do
    # The new dump is good all the same.
    if remove_dump "${own[i]}"; then
      say "removed ${own[i]}: the newest $KEEP are kept"
    else
      say "could not remove ${own[i]}: remove its files by hand"
    fi
  done
}
