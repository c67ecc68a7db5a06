#!/bin/bash
# Starts PostgreSQL under the contract of the official image: the same variables, hooks and refusals.
# Never touches a data directory that already holds a cluster.
set -euo pipefail

say() {
  printf 'docker-entrypoint: %s\n' "$*"
}

refuse() {
  printf 'docker-entrypoint: error: %s\n' "$*" >&2
  exit 1
}

# Export setting $1 from the variable of that name, from the file that $1_FILE names, or else from the default $2.
load_setting() {
  local name=$1 file_name=$1_FILE
  local value=${!name-} file=${!file_name-}
  if [[ -n $value && -n $file ]]; then
    refuse "both $name and $file_name are set; set only one of them"
  fi
  if [[ -n $file ]]; then
    [[ -r $file ]] || refuse "cannot read the file that $file_name names: $file"
    value=$(<"$file")
  fi
  export "$name=${value:-${2-}}"
  unset "$file_name"
}

asks_for_help() {
  local argument
  for argument; do
    case $argument in
      -'?' | --help | --describe-config | -V | --version) return 0 ;;
    esac
  done
  return 1
}

prepare_directories() {
  mkdir -p "$PGDATA" /run/postgresql
  chmod 0700 "$PGDATA"
  chmod 3777 /run/postgresql
  find "$PGDATA" /run/postgresql ! -user postgres -exec chown postgres:postgres {} +
}

create_cluster() {
  # Quoted words in POSTGRES_INITDB_ARGS stay words, as in the official image.
  local options=()
  eval "options=($POSTGRES_INITDB_ARGS)"
  if [[ -n $POSTGRES_PASSWORD ]]; then
    options+=(--pwfile=/dev/stdin)
  fi
  initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" "${options[@]}" <<< "$POSTGRES_PASSWORD"

  local method=$POSTGRES_HOST_AUTH_METHOD
  if [[ -z $method ]]; then
    method=$(postgres -C password_encryption "$@")
  fi
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
}

run_sql() {
  psql --variable=ON_ERROR_STOP=1 --no-password --no-psqlrc \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" "$@"
}

run_script() {
  say "running $1"
  case $1 in
    *.sh)
      if [[ -x $1 ]]; then
        "$1"
      else
        # Scripts for the official image are not written for `set -u`.
        set +u
        # shellcheck source=/dev/null
        source "$1"
        set -u
      fi
      ;;
    *.sql) run_sql --file="$1" ;;
    *.sql.gz) gunzip --stdout "$1" | run_sql ;;
    *) say "ignoring $1" ;;
  esac
}

# On the local socket only: nobody can take the server for ready before it is.
fill_cluster() {
  local script
  # For the case that POSTGRES_INITDB_ARGS asks for passwords on the socket.
  export PGPASSWORD=$POSTGRES_PASSWORD
  pg_ctl --pgdata="$PGDATA" --wait --options="${*@Q} -c listen_addresses='' -c port=5432" start
  if [[ $POSTGRES_DB != postgres ]]; then
    createdb --no-password --username="$POSTGRES_USER" --maintenance-db=postgres -- "$POSTGRES_DB"
  fi
  for script in /docker-entrypoint-initdb.d/*; do
    if [[ -e $script ]]; then
      run_script "$script"
    fi
  done
  pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
  unset PGPASSWORD
}

main() {
  if [[ ${1-} == -* ]]; then
    set -- postgres "$@"
  fi
  if [[ ${1-} != postgres ]] || asks_for_help "$@"; then
    exec "$@"
  fi

  load_setting POSTGRES_PASSWORD
  load_setting POSTGRES_USER postgres
  load_setting POSTGRES_DB "$POSTGRES_USER"
  load_setting POSTGRES_INITDB_ARGS
  load_setting POSTGRES_HOST_AUTH_METHOD

  if ((EUID == 0)); then
    prepare_directories
    HOME=/var/lib/postgresql exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
  fi

  if [[ -s $PGDATA/PG_VERSION ]]; then
    say "using the cluster in $PGDATA; the variables for a new one have no effect"
  else
    if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
      refuse "a new cluster needs a superuser password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" \
        "(or POSTGRES_HOST_AUTH_METHOD=trust, which lets everyone in)"
    fi
    create_cluster "${@:2}"
    fill_cluster "${@:2}"
    say "the new cluster is complete, starting the server"
  fi
  unset POSTGRES_PASSWORD
  exec "$@"
}

main "$@"
