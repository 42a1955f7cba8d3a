# Runs one explicit test against components of its own, and prints what it says. Sourced by the runs beside it.

# run_scenario METHOD SECONDS [COMPONENT...]
run_scenario() {
  local method=$1 limit=$2 component
  shift 2
  require_toolchain
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/apertur-chaos.XXXXXX")
  chmod 711 "$scratch" # the components do not run as root, and must get through
  mkdir "$scratch/tmp"
  trap 'for c in swift postgres; do tests/components/$c stop "$scratch/$c" || true; done; rm -rf "$scratch"' EXIT

  quiet_build tests/Apertur.Tests
  export CI=true TMPDIR=$scratch/tmp CHAOS_RUN=1
  [ "${CHAOS_DATABASE:-}" != PostgreSql ] || set -- "$@" postgres
  for component in "$@"; do
    case $component in
      swift) APERTUR_TEST_S3_ENDPOINT=$(tests/components/swift start "$scratch/swift") && export APERTUR_TEST_S3_ENDPOINT ;;
      postgres) export CHAOS_POSTGRES=$scratch/postgres; APERTUR_TEST_POSTGRES=$(tests/components/postgres start "$scratch/postgres") && export APERTUR_TEST_POSTGRES ;;
    esac
  done

  timeout "$limit" dotnet artifacts/bin/Apertur.Tests/release/Apertur.Tests.dll -noLogo -noColor -noAutoReporters -explicit only \
    -method "*$method" -showLiveOutput |
    what_it_says
}

# what_it_says: of a test's output, the lines that it wrote, why it failed, and the count.
what_it_says() {
  sed -un -e 's/^.*\[OUTPUT\] \(> \)\{0,1\}//p' -e '/\[FAIL\]/,/Output:/p' -e '/Total: /p'
}
