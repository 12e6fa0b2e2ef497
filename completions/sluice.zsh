#compdef sluice
# SPDX-License-Identifier: Apache-2.0

_sluice_mountpoints() {
  local -a mountpoints
  mountpoints=(${(f)"$(findmnt --noheadings --list --types erofs --output TARGET 2>/dev/null)"})
  compadd -a mountpoints
}

# A reference is a transport, a colon and a path: _sluice_reference oci rafs
_sluice_reference() {
  if compset -P 1 '*:'; then
    _files
  else
    compadd -S : -- "$@"
  fi
}

_sluice() {
  local curcontext=$curcontext state line
  local -a commands common registry both
  local side
  commands=(
    'convert:Convert an image so that it can be served on demand'
    'copy:Copy an image, byte for byte'
    'inspect:Show what an image is'
    'mount:Mount an image; its data come when they are read'
    'umount:Unmount an image'
    'bind:Prepare an image for a mount by its fsid'
    'unbind:Stop serving a bound image'
    'list:List the mounted images'
    'status:Show what the daemon does'
  )
  common=('(-h --help)'{-h,--help}'[Show help]' '--socket=[Socket of the daemon]:socket:_files')

  registry=(
    '--creds=[Credentials]:user\:password:' '--authfile=[File with credentials]:file:_files'
    '--cert-dir=[Certificates]:directory:_files -/' '--tls-verify=-[Check the certificate]:verify:(true false)'
    '--retry-times=[Further tries of what fails]:number:'
  )
  both=($registry)
  for side in src dest; do
    both+=(
      "--$side-creds=[Credentials]:user\:password:" "--$side-authfile=[File with credentials]:file:_files"
      "--$side-cert-dir=[Certificates]:directory:_files -/" "--$side-tls-verify=-[Check the certificate]:verify:(true false)"
    )
  done

  _arguments -C '(-h --help)'{-h,--help}'[Show help]' '--version[Show the version]' '1: :->command' '*:: :->arguments'
  case $state in
    command) _describe command commands ;;
    arguments)
      case $line[1] in
        convert)
          _arguments '(-h --help)'{-h,--help}'[Show help]' $both \
            '--chunk-size=[Bytes of a chunk]:size:' \
            '--compressor=[Compressor of chunks]:compressor:(zstd lz4 none)' \
            '--level=[Compression level]:level:' \
            '--digester=[Digest of chunks]:digester:(blake3 sha256)' \
            '--platform=[Platform to choose]:os/arch:' \
            '--jobs=[Threads]:number:' \
            '--output-json=[Write a report]:file:_files' \
            '--digestfile=[Write the digest]:file:_files' \
            '--push-blobs=[Put the blobs into an object store, too]:place:_files' \
            '--progress=[How progress is shown]:style:(auto plain tty json)' \
            '--quiet[Print only the digest]' \
            '1:source:_sluice_reference docker oci oci-archive docker-archive rootfs tar' \
            '2:target:_sluice_reference docker oci oci-archive'
          ;;
        copy)
          _arguments '(-h --help)'{-h,--help}'[Show help]' $both \
            '(--platform)--all[Copy all platforms]' \
            '(--all)--platform=[Platform to choose]:os/arch:' \
            '--preserve-digests[Change no digest]' \
            '--digestfile=[Write the digest]:file:_files' \
            '--quiet[Print only the digest]' \
            '1:source:_sluice_reference docker oci oci-archive' \
            '2:target:_sluice_reference docker oci oci-archive'
          ;;
        inspect)
          _arguments '(-h --help)'{-h,--help}'[Show help]' $registry \
            '--platform=[Platform to choose]:os/arch:' \
            '--raw[Print the manifest]' '--config[Print the config]' \
            '1:image:_sluice_reference docker oci oci-archive docker-archive rootfs tar'
          ;;
        mount)
          _arguments $common \
            '--tls-verify=-[Check the certificate of the registry]:verify:(true false)' \
            '--creds=[Credentials for the registry]:user\:password:' \
            '--authfile=[File with credentials]:file:_files' \
            '--cert-dir=[Certificates for the registry]:directory:_files -/' \
            '--backend-config=[Where the blobs are]:file:_files' \
            '--frontend=[The front end that has to serve it]:front end:(fanotify cachefiles)' \
            '1:image:_sluice_reference oci rafs' '2:mountpoint:_files -/'
          ;;
        bind)
          _arguments $common \
            '--fsid=[Name of the image]:fsid:' \
            '--domain=[Share blobs with the images of this domain]:domain:' \
            '--tls-verify=-[Check the certificate of the registry]:verify:(true false)' \
            '--creds=[Credentials for the registry]:user\:password:' \
            '--authfile=[File with credentials]:file:_files' \
            '--cert-dir=[Certificates for the registry]:directory:_files -/' \
            '--backend-config=[Where the blobs are]:file:_files' \
            '1:image:_sluice_reference oci rafs'
          ;;
        unbind) _arguments $common '--domain=[The domain that it was bound in]:domain:' '1:fsid:' ;;
        umount) _arguments $common '1:mountpoint:_sluice_mountpoints' ;;
        list | status) _arguments $common '--json[Print what the daemon answered]' ;;
      esac
      ;;
  esac
}

_sluice "$@"
