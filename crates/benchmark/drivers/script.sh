# Work driver of command-driven suites. Builds once, runs once a task, prints what came out in base64.
# Before this stand, written by the host: build(), task(), BLOCKS (output files' size), ROOM, BUDGET, TASKS, SEEDS.
# Standard input has the tasks' canaries and then the nonce, which is read only after the last command is dead. Commands never get
# that input: a canary reaches the command of its own task alone, by a pipe, which nobody can read again.
# A suite may show no file of its own; its commands start in the same place.
mkdir -p /work/suite && cd /work/suite || exit 1
out=/tmp/.out
mkdir -p "$out"
encode() { head -c "$ROOM" "$1" | base64 -w0; }
emit() { printf '%s' "{\"task\":$1,\"end\":\"$2\",\"code\":$3,\"said\":\"" "$4" '","error":"' "$5" "\"}" >>"$out/frames"; printf '\n' >>"$out/frames"; }
begin=$(date +%s)
: >"$out/frames"
( ulimit -c 0; build ) </dev/null >"$out/build" 2>&1
built=$?
i=0
read -r canaries
# Each task's seed, in order.
set -- $SEEDS
while [ "$i" -lt "$TASKS" ]; do
    export MELIORA_SEED="$1"
    shift
    canary=${canaries%% *}
    canaries=${canaries#* }
    if [ "$built" -ne 0 ]; then
        emit "$i" build "$built" "" "$(encode "$out/build")"
    elif [ $(($(date +%s) - begin)) -gt "$BUDGET" ]; then # whole seconds: what began at the end of one is a second old at once
        emit "$i" budget 0 "" ""
    else
        ( ulimit -c 0; ulimit -f "$BLOCKS"; task "/work/tasks/$i" ) >"$out/said" 2>"$out/error"
        code=$?
        case "$code" in
            0) end=done ;;
            124 | 137) end=time ;;
            153) end=size ;;
            *) end=exit; if [ "$code" -gt 128 ]; then end=signal; code=$((code - 128)); fi ;;
        esac
        emit "$i" "$end" "$code" "$(encode "$out/said")" "$(tail -c 2000 "$out/error" | base64 -w0)"
    fi
    i=$((i + 1))
done
read -r nonce
while read -r line; do printf '\n%s %s\n' "$nonce" "$line"; done <"$out/frames"
exit 0
