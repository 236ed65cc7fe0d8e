#!/bin/bash
# Puts the mounted password hashes in force. It looks at what the server holds first, so it can be killed at any line
# and run again: it goes on from there, and changes nothing that is as it should be. An account has room for two
# passwords: those in KEEP_OLD keep the one before as the second; that of all others goes, so the same script also ends
# a grace period. With ONLY_COMPARE it changes nothing at all.
. "${BASH_SOURCE[0]%/*}/common.sh"
report_failures
require_claim_uid
require_database
require_account
require KEEP_OLD '^(root|user|root,user)?$'
require ONLY_COMPARE '^(yes|no)$'

# In seconds. A node that is lost closes no connection; the next try goes on from where this one was.
patience=(timeout 300)

# where WHO: the condition for a 'name'@'host' in mysql.user.
where() { printf 'user = %s AND host = %s' "${1%@*}" "${1#*@}"; }

# Sets `held` to the account's stored plugin and hash, in the words of read_credential; empty if there is no such account.
read_held() {
  ask "SELECT CONCAT('IDENTIFIED WITH ''', plugin, ''' AS ',
         IF(plugin = 'mysql_native_password', CONCAT('''', authentication_string, ''''),
            CONCAT('0x', HEX(authentication_string))))
       FROM mysql.user WHERE $(where "$1");"
  held=$answer
}

# Sets `old` to whether the account has a second password.
read_old() {
  old=false
  at_least 8 0 14 || return 0
  ask "SELECT COUNT(*) FROM mysql.user WHERE $(where "$1")
         AND JSON_CONTAINS_PATH(user_attributes, 'one', '$.additional_password');"
  [[ $answer == 0 ]] || old=true
}

# A password that was retained once would stay valid for ever: a plain ALTER USER leaves it as it is.
discard_old_password() {
  read_old "$1"
  [[ $old == false ]] || ask "ALTER USER $1 DISCARD OLD PASSWORD;"
  old=false
}

keeps_old() { [[ ,$KEEP_OLD, == *,$1,* ]]; }

# Can what the account holds be its second password? Not an empty one, nor that of another plugin.
can_retain() { at_least 8 0 14 && [[ ${held%% AS *} == "${identified%% AS *}" && ! $held =~ \ AS\ (0x|\'\')$ ]]; }

# The one place where a change becomes SQL. RETAIN is never run where the new hash is in place already: it would be both
# passwords then, and the old one would be gone early.
change() {
  local retain=''
  if keeps_old "$2" && can_retain; then retain=' RETAIN CURRENT PASSWORD'; fi
  secretly "ALTER USER $1 $identified$retain;" "the password of $1 was not changed"
}

create() {
  grant_to "$1" "$2"
  secretly "CREATE USER $1 $identified; $grant" "$1 was not made"
}

# put_in_force WHO ACCOUNT: sets `was` to what it was before, and `old` to whether a second password is left.
put_in_force() {
  read_held "$1"
  case $held in
    '')
      was=new
      create "$1" "$2"
      ;;
    "$identified") was=unchanged ;;
    *)
      was=changed
      change "$1" "$2"
      ;;
  esac
  if keeps_old "$2"; then read_old "$1"; else discard_old_password "$1"; fi
}

# compare WHO: sets `was` to what put_in_force would find.
compare() {
  read_held "$1"
  was=unchanged
  [[ $held == "$identified" ]] || was=drifted
  read_old "$1"
}

wait_for_server
results=''
for account in root user; do
  has_credential "$account" || continue
  read_credential "$account"
  total=unchanged
  any_old=false
  while read -r who; do
    if [[ $ONLY_COMPARE == yes ]]; then compare "$who"; else put_in_force "$who" "$account"; fi
    say "$who: $was"
    # New wins over changed, changed over unchanged.
    [[ $was == unchanged || $total == new ]] || total=$was
    [[ $old == false ]] || any_old=true
  done < <(names_of "$account")
  results+="${results:+,}{\"account\":\"$account\",\"was\":\"$total\",\"old\":$any_old}"
done
[[ -n $results ]] || die 'no password hash is mounted: the operator should have named one'
report "{\"accounts\":[$results]}"
