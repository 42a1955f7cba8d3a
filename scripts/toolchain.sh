# For `run` and `test`, which source it: is what the build needs here, and a build that is quiet unless it fails.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

say() { printf '%s\n' "$*" >&2; }

# Says in plain words what is missing and how to get it.
require_toolchain() {
  local missing=0 node_version
  if ! command -v dotnet >/dev/null; then
    say "The .NET 10 SDK is missing: there is no 'dotnet' on the PATH."
    missing=1
  elif ! (cd "$root" && dotnet --version) >/dev/null 2>&1; then
    say "The .NET 10 SDK is missing. 'dotnet' is here, with these SDKs:"
    say "$(dotnet --list-sdks 2>/dev/null | sed 's/^/    /' | grep . || echo '    none')"
    missing=1
  fi
  if [ "$missing" -eq 1 ]; then
    say "    Get it from https://dotnet.microsoft.com/download/dotnet/10.0 (the SDK, not only the runtime)."
  fi

  node_version=$(node --version 2>/dev/null) || node_version=""
  node_version=${node_version#v}
  if [ -z "$node_version" ] || [ "${node_version%%.*}" -lt 20 ]; then
    say "Node.js 20 or newer is missing (found: ${node_version:-none}); it builds the upload page."
    say "    Get it from https://nodejs.org/en/download."
    missing=1
  fi
  [ "$missing" -eq 0 ]
}

# The fingerprint of the sources that the program was last built from; see `run`.
built=$root/artifacts/built-from

# quiet_build PROJECT: a Release build whose output is shown only when it fails, and on standard error. Builds in the same
# folder wait for each other (where `flock` exists), and no build server stays behind.
quiet_build() {
  mkdir -p "$root/artifacts"
  (
    cd "$root"
    ! command -v flock >/dev/null || flock 9
    rm -f "$built" # whatever it says, it will not be true of what is built now
    # 9>&-: what the build starts must not hold the lock.
    if ! dotnet build "$1" -c Release --disable-build-servers -v minimal >"artifacts/build.log" 2>&1 9>&-; then
      cat "artifacts/build.log" >&2
      say "The build failed. What it said is above."
      exit 1
    fi
  ) 9>"$root/artifacts/build.lock"
}

# With this option all libraries and the runtime are compiled into one image: docs/decisions/0021-compiled-ahead.md says what it gives and takes.
one_image=-p:PublishReadyToRunComposite=true

# quiet_publish PROJECT FOLDER [OPTION]: the same for one folder that needs nothing else, for the kind of machine that this is. What it builds on the
# way is kept apart from what quiet_build does, and not judged again: the style of the code changes nothing in it. It is compiled ahead, so that
# a start takes two thirds of the processor time.
quiet_publish() {
  mkdir -p "$root/artifacts"
  [ ! -e "$2" ] || [ -f "$2/apertur" ] || [ -z "$(ls -A "$2")" ] || { say "$2 is not empty, and has no Apertur in it."; return 1; }
  (
    cd "$root"
    ! command -v flock >/dev/null || flock 9
    rm -rf "$2.new"
    if ! dotnet publish "$1" -c Release --use-current-runtime --self-contained -o "$2.new" --artifacts-path "artifacts/publish${3:+-one-image}" \
      "${@:3}" -p:DebugType=none -p:PublishDocumentationFiles=false -p:RunAnalyzers=false -p:PublishReadyToRun=true --disable-build-servers -v minimal >"artifacts/publish.log" 2>&1 9>&-; then
      cat "artifacts/publish.log" >&2
      say "It could not be published. What was said is above."
      exit 1
    fi
    rm -rf "$2"
    mv "$2.new" "$2"
    say "$2/apertur serve --help"
  ) 9>"$root/artifacts/build.lock"
}

# unmount_below FOLDER: every file system that is mounted somewhere in a folder.
unmount_below() {
  local place
  [ -e /proc/self/mounts ] || return 0
  while read -r _ place _; do
    case $place in "$1"/*) umount --lazy "$place" || true ;; esac
  done </proc/self/mounts
}
