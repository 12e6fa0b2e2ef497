# SPDX-License-Identifier: Apache-2.0
# fish completion for sluice(1)

function __sluice_mountpoints
    findmnt --noheadings --list --types erofs --output TARGET 2>/dev/null
end

# What follows the transport of a reference is a path.
function __sluice_references
    set --local token (commandline --current-token)
    if string match --quiet '*:*' -- $token
        set --local prefix (string replace --regex ':.*' ':' -- $token)
        set --local path (string replace --regex '^[^:]*:' '' -- $token)
        printf "$prefix%s\n" (__fish_complete_path $path)
    else
        printf '%s:\n' $argv
    end
end

set --local commands convert copy inspect mount umount bind unbind list status

complete --command sluice --no-files
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --long version --description 'Show the version'
complete --command sluice --short h --long help --description 'Show help'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments convert \
    --description 'Convert an image so that it can be served on demand'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments copy --description 'Copy an image, byte for byte'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments inspect \
    --description 'Show what an image is'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments mount \
    --description 'Mount an image; its data come when they are read'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments umount --description 'Unmount an image'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments bind \
    --description 'Prepare an image for a mount by its fsid'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments unbind \
    --description 'Stop serving a bound image'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments list --description 'List the mounted images'
complete --command sluice --condition "not __fish_seen_subcommand_from $commands" --arguments status --description 'Show what the daemon does'

complete --command sluice --condition '__fish_seen_subcommand_from convert' \
    --arguments '(__sluice_references docker oci oci-archive docker-archive rootfs tar)'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long chunk-size --exclusive --description 'Bytes of a chunk'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long compressor --exclusive --arguments 'zstd lz4 none' \
    --description 'Compressor of chunks'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long level --exclusive --description 'Compression level'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long digester --exclusive --arguments 'blake3 sha256' \
    --description 'Digest of chunks'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long platform --exclusive --description 'Platform to choose'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long jobs --exclusive --description 'Threads'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long output-json --require-parameter --force-files \
    --description 'Write a report'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long digestfile --require-parameter --force-files \
    --description 'Write the digest'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long push-blobs --require-parameter --force-files \
    --description 'Put the blobs into an object store, too'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long progress --exclusive --arguments 'auto plain tty json' \
    --description 'How progress is shown'
complete --command sluice --condition '__fish_seen_subcommand_from convert' --long quiet --description 'Print only the digest'

complete --command sluice --condition '__fish_seen_subcommand_from copy' --arguments '(__sluice_references docker oci oci-archive)'
complete --command sluice --condition '__fish_seen_subcommand_from copy' --long all --description 'Copy all platforms'
complete --command sluice --condition '__fish_seen_subcommand_from copy' --long preserve-digests --description 'Change no digest'
complete --command sluice --condition '__fish_seen_subcommand_from copy' --long digestfile --require-parameter --force-files \
    --description 'Write the digest'
complete --command sluice --condition '__fish_seen_subcommand_from copy' --long quiet --description 'Print only the digest'
complete --command sluice --condition '__fish_seen_subcommand_from inspect' \
    --arguments '(__sluice_references docker oci oci-archive docker-archive rootfs tar)'
complete --command sluice --condition '__fish_seen_subcommand_from inspect' --long raw --description 'Print the manifest'
complete --command sluice --condition '__fish_seen_subcommand_from inspect' --long config --description 'Print the config'
complete --command sluice --condition '__fish_seen_subcommand_from copy inspect' --long platform --exclusive --description 'Platform to choose'
complete --command sluice --condition '__fish_seen_subcommand_from convert copy inspect' --long retry-times --exclusive \
    --description 'Further tries of what fails'
for side in '' src- dest-
    set --local where 'convert copy'
    test -n "$side"; or set where 'convert copy inspect'
    complete --command sluice --condition "__fish_seen_subcommand_from $where" --long {$side}creds --exclusive --description 'Credentials'
    complete --command sluice --condition "__fish_seen_subcommand_from $where" --long {$side}authfile --require-parameter --force-files \
        --description 'File with credentials'
    complete --command sluice --condition "__fish_seen_subcommand_from $where" --long {$side}cert-dir --exclusive \
        --arguments '(__fish_complete_directories)' --description 'Certificates'
    complete --command sluice --condition "__fish_seen_subcommand_from $where" --long {$side}tls-verify --no-files \
        --arguments 'true false' --description 'Check the certificate'
end

complete --command sluice --condition '__fish_seen_subcommand_from mount umount bind unbind list status' --long socket --require-parameter --force-files \
    --description 'Socket of the daemon'
complete --command sluice --condition '__fish_seen_subcommand_from list status' --long json --description 'Print what the daemon answered'
complete --command sluice --condition '__fish_seen_subcommand_from mount bind' --long tls-verify --no-files --arguments 'true false' \
    --description 'Check the certificate of the registry'
complete --command sluice --condition '__fish_seen_subcommand_from mount bind' --long creds --exclusive --description 'Credentials for the registry'
complete --command sluice --condition '__fish_seen_subcommand_from mount bind' --long authfile --require-parameter --force-files \
    --description 'File with credentials'
complete --command sluice --condition '__fish_seen_subcommand_from mount bind' --long cert-dir --exclusive \
    --arguments '(__fish_complete_directories)' --description 'Certificates for the registry'
complete --command sluice --condition '__fish_seen_subcommand_from mount bind' --long backend-config --require-parameter --force-files \
    --description 'Where the blobs are'
complete --command sluice --condition '__fish_seen_subcommand_from mount' \
    --arguments '(__sluice_references oci rafs) (__fish_complete_directories)'
complete --command sluice --condition '__fish_seen_subcommand_from mount' --long frontend --exclusive --arguments 'fanotify cachefiles' \
    --description 'The front end that has to serve it'
complete --command sluice --condition '__fish_seen_subcommand_from bind' --long fsid --exclusive --description 'Name of the image'
complete --command sluice --condition '__fish_seen_subcommand_from bind unbind' --long domain --exclusive \
    --description 'The images of a domain share their blobs'
complete --command sluice --condition '__fish_seen_subcommand_from bind' --arguments '(__sluice_references oci rafs)'
complete --command sluice --condition '__fish_seen_subcommand_from umount' --arguments '(__sluice_mountpoints)'
