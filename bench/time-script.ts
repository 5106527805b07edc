/** Prints in microseconds how long its arguments take, by a clock that bash has itself. */
export const timeScript =
  'began=$EPOCHREALTIME; "$@" > /dev/null; ended=$EPOCHREALTIME; ' +
  'echo $((${ended/[.,]/} - ${began/[.,]/}))'
