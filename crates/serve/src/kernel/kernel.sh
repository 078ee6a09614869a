# What runs shell code in a sandbox: lines of base64, the first one the nonce, each further one a cell.
exec {__control}<&0 0</dev/null
IFS= read -r __nonce <&$__control
trap : INT
while IFS= read -r __line <&$__control; do
  eval "$(base64 -d <<<"$__line")"
  __status=$?
  if [ "$__status" -ne 0 ]; then
    printf '\x1e%s{"type":"error","name":"ExitStatus","value":"%d","traceback":""}\n' "$__nonce" "$__status"
  fi
  printf '\x1e%s{"type":"end"}\n' "$__nonce"
  printf '\x1e%s{"type":"end"}\n' "$__nonce" >&2
done
