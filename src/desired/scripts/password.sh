#!/bin/bash
# Puts the mounted password hashes in force. It looks at what the server holds first, so it can be killed at any line
# and run again: it goes on from there, and changes nothing that is as it should be.
. "${BASH_SOURCE[0]%/*}/common.sh"
report_failures
require_claim_uid
require_database
require_account

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

# A password that was retained once would stay valid for ever: a plain ALTER USER leaves it as it is.
discard_old_password() {
  at_least 8 0 14 || return 0
  ask "SELECT COUNT(*) FROM mysql.user WHERE $(where "$1")
         AND JSON_CONTAINS_PATH(user_attributes, 'one', '$.additional_password');"
  [[ $answer == 0 ]] || ask "ALTER USER $1 DISCARD OLD PASSWORD;"
}

# The one place where a change becomes SQL. A grace period would be RETAIN CURRENT PASSWORD here, with the old password
# discarded when it is over.
change() { secretly "ALTER USER $1 $identified;" "the password of $1 was not changed"; }

create() {
  grant_to "$1" "$2"
  secretly "CREATE USER $1 $identified; $grant" "$1 was not made"
}

# put_in_force WHO ACCOUNT: sets `was` to what it was before.
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
      change "$1"
      ;;
  esac
  discard_old_password "$1"
  say "$1: $was"
}

wait_for_server
results=''
for account in root user; do
  has_credential "$account" || continue
  read_credential "$account"
  total=unchanged
  while read -r who; do
    put_in_force "$who" "$account"
    # New wins over changed, changed over unchanged.
    [[ $was == unchanged || $total == new ]] || total=$was
  done < <(names_of "$account")
  results+="${results:+,}{\"account\":\"$account\",\"was\":\"$total\"}"
done
[[ -n $results ]] || die 'no password hash is mounted: the operator should have named one'
report "{\"accounts\":[$results]}"
