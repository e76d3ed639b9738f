#!/usr/bin/env bash
# run.sh - checks the models of the protocols with Spin, and that each seeded bug is found.
#
# Usage: tests/spin/run.sh [PATTERN]    only the lines whose name matches the extended regexp
#
# TAP lines.  Needs spin and a C compiler; about three minutes on one core, 1.5 GiB of memory at most.
# A `proof` has no error in all states of the model, a `bug` has one.
set -uo pipefail
export LC_ALL=C

cd "$(dirname -- "${BASH_SOURCE[0]}")" || exit 1
models=$PWD
pattern=${1:-.}
failed=0
timeout_s=120
memory_mib=1500

if ! command -v spin >/dev/null; then
    echo "not ok - spin is installed"
    exit 1
fi
mkdir -p ../../build || exit 1
work=$(mktemp -d "$(cd ../../build && pwd)/spin.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() { # fail NAME WHY LOG
    sed 's/^/    /' "$3" | tail -n 20
    echo "not ok - $1: $2"
    failed=1
}

# check KIND MODEL NAME DEFINE...
check() {
    local kind=$1 model=$2 name="$2 $3" optimise=-O1 errors states
    local defines=("${@:4}")
    [[ $name =~ $pattern ]] || return 0
    [ "$kind" = proof ] || optimise=-O0 # found long before it pays to compile well
    rm -f pan* ./*.trail
    if ! spin -a "${defines[@]/#/-D}" "$models/$model" >log 2>&1 ||
        ! "${CC:-gcc}" $optimise -w -DSAFETY -DMEMLIM=$memory_mib -o pan pan.c >log 2>&1
    then
        fail "$name" "does not compile" log
        return
    fi
    # -m: the depth of the search; pan says so if it was not enough.
    timeout --foreground $timeout_s nice ./pan -m1000000 -n >log 2>&1
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' log)
    states=$(awk '/states, stored/ { print $1 }' log)
    if [ -z "$errors" ] || grep -qE 'max search depth too small|out of memory|resource problem' log; then
        fail "$name" "not finished in $timeout_s s and $memory_mib MiB" log
    elif [ "$kind" = proof ] && [ "$errors" != 0 ]; then
        fail "$name" "$(sed -n 's/^pan:[0-9]*: //p' log)" log
    elif [ "$kind" = bug ] && [ "$errors" = 0 ]; then
        fail "$name" "not found in $states states" log
    elif [ "$kind" = proof ]; then
        echo "ok - $name: $states states, 0 errors"
    else
        echo "ok - $name: found"
    fi
}

wake() { # wake KIND NAME DEFINE...: the later definition counts
    check "$1" wake.pml "$2" MESSAGES=2 CONSUMERS=2 SCHEME=BARRIER SCHEME_LAST=SCHEME \
        LAST=MESSAGES LAST0=LAST REG1=1 REG2=1 STRICT=0 CLOSE=0 SHARED=0 TAKEOVER=0 \
        AWAKE_CLEARS='!SHARED' LEAVE_CLEARS='!SHARED' "${@:3}"
}
wake proof "remote barrier" MESSAGES=3
wake bug "seeded bug no barrier" BUG_NO_BARRIER
wake bug "seeded bug barrier before the bit" BUG_BARRIER_FIRST
wake proof "fence mode" SCHEME=REFUSED CONSUMERS=1 MESSAGES=3
wake proof "fence mode relaxed while another consumer enters it" SCHEME=REFUSED LAST0=1
wake proof "remote barrier beside fence mode" SCHEME_LAST=REFUSED
wake proof "remote barrier that does not reach the producer" CONSUMERS=1 MESSAGES=3 REG1=0
wake bug "seeded bug long sleep without the ack" SCHEME=REFUSED BUG_NO_ACK
wake bug "seeded bug fence bit cleared before the ack falls" SCHEME=REFUSED LAST0=1 \
    BUG_RELAX_BIT_FIRST
wake proof "strict wake" SCHEME=REFUSED STRICT=1
wake proof "slices" SCHEME=SLICES CONSUMERS=1 MESSAGES=3
wake bug "seeded bug bit cleared between slices" SCHEME=SLICES CONSUMERS=1 BUG_SLICE_CLEARS
wake proof "two seats with one bit" SHARED=1
wake bug "seeded bug shared bit cleared on waking up" SHARED=1 AWAKE_CLEARS=1
wake bug "seeded bug shared bit cleared by one who leaves" SHARED=1 LEAVE_CLEARS=1
wake proof "closing" CLOSE=1 LAST=NONE
wake bug "seeded bug closing not seen by the last look" CLOSE=1 LAST=NONE BUG_STATE_NOT_SEEN
wake proof "take-over" TAKEOVER=1 CONSUMERS=1 MESSAGES=3
wake proof "take-over by a producer out of the barrier's reach" TAKEOVER=1 CONSUMERS=1 REG2=0
wake proof "take-over by a producer in the barrier's reach" TAKEOVER=1 CONSUMERS=1 REG1=0
wake proof "take-over in fence mode" TAKEOVER=1 CONSUMERS=1 SCHEME=REFUSED
wake bug "seeded bug take-over wakes nobody" TAKEOVER=1 CONSUMERS=1 REG2=0 BUG_NO_WAKE_ALL

room() {
    check "$1" room.pml "$2" MESSAGES=3 CONSUMERS=2 CAPACITY=1 "${@:3}"
}
room proof "remote barrier"
room proof "consumers that poll" POLLS
room bug "seeded bug no barrier" POLLS BUG_NO_BARRIER
room bug "seeded bug bell cleared after the last look" BUG_CLEARED_LATE
room proof "a consumer that keeps messages" CONSUMERS=1 CAPACITY=2 MESSAGES=4 HOLDS
room bug "seeded bug no ring before the sleep" CONSUMERS=1 CAPACITY=2 MESSAGES=4 HOLDS \
    BUG_NO_RING_BEFORE_SLEEP
room proof "a consumer that leaves" LEAVE
room proof "slices" WINDOWS POLLS
room bug "seeded bug announced anew for each slice" WINDOWS POLLS BUG_SLICE_ANNOUNCES

join() {
    check "$1" join.pml "$2" MESSAGES=5 CONSUMERS=1 CAPACITY=2 "${@:3}"
}
join proof "one joiner" MESSAGES=6 CAPACITY=3
join proof "two joiners" CONSUMERS=2 CAPACITY=1 MESSAGES=3
join bug "seeded bug no fence of the producer" BUG_NO_PRODUCER_FENCE
join bug "seeded bug no fence of the joiner" BUG_NO_JOINER_FENCE
join bug "seeded bug seats not looked at again" BUG_NO_SECOND_LOOK
join proof "a lossy reader" LOSSY MESSAGES=4
join bug "seeded bug horizon stored after the write" LOSSY BUG_HORIZON_LATE
join bug "seeded bug horizon read before the payload" LOSSY BUG_HORIZON_READ_FIRST
join proof "take-over" TAKEOVER
join bug "seeded bug horizon of a dead producer trusted" TAKEOVER BUG_HORIZON_TRUSTED

takeover() {
    check "$1" takeover.pml "$2" MESSAGES=4 KILLS=1 "${@:3}"
}
takeover proof "one death"
takeover proof "two deaths" KILLS=2 MESSAGES=3
takeover bug "seeded bug header stored before the payload" BUG_HEADER_FIRST
takeover bug "seeded bug first header of a batch not withheld" BUG_NOT_WITHHELD
takeover bug "seeded bug next header not zeroed" BUG_NOT_ZEROED
takeover bug "seeded bug landmark set after the horizon" BUG_LANDMARK_LATE

group() {
    check "$1" group.pml "$2" MESSAGES=2 CAPACITY=2 MEMBERS=2 KILLS=1 CLAIM=1 "${@:3}"
}
group proof "one death" MESSAGES=3 CLAIM=2
group proof "another process takes the seat of the dead" CLAIM=2 REJOIN
group proof "the producer says who is dead" CAPACITY=1 REAPS
group proof "three members" MESSAGES=1 MEMBERS=3
group bug "seeded bug the last claimer is not helped" MESSAGES=3 BUG_NO_HELP
group bug "seeded bug claim stored after the CAS" BUG_CLAIM_AFTER_CAS
group bug "seeded bug no second look at the claim" MESSAGES=3 BUG_NO_SECOND_LOOK
group bug "seeded bug position not read again behind the tag" MESSAGES=3 BUG_POS_NOT_READ_AGAIN
group bug "seeded bug seats before next_pos" MESSAGES=3 KILLS=0 BUG_SEATS_FIRST
group bug "seeded bug adopted without the lease" MESSAGES=1 MEMBERS=3 BUG_NO_LEASE
group bug "seeded bug number only added to" CLAIM=2 BUG_SEQ_FORWARD_ONLY

gate() {
    check "$1" gate.pml "$2" MESSAGES=2 MEMBERS=2 REMOTE=1 STALE=0 "${@:3}"
}
gate proof "two members" MESSAGES=3
gate proof "each message wakes another one" MEMBERS=3 BUSY
gate proof "permits left over, and slices" STALE=1 BUSY SLICES
gate proof "fence mode" REMOTE=0 BUSY
gate bug "seeded bug permits before the sleepers" BUSY BUG_PERMITS_FIRST
gate bug "seeded bug bit not set again" BUSY BUG_BIT_NOT_SET_AGAIN
gate proof "the end" CLOSE STALE=1
gate proof "the end in fence mode" CLOSE REMOTE=0
gate bug "seeded bug long sleep behind the end in fence mode" CLOSE REMOTE=0 \
    BUG_LONG_SLEEP_BEHIND_END
gate bug "seeded bug no fence of those who are done" CLOSE MEMBERS=3 BUG_NO_FENCE

exit $failed
