# SPDX-License-Identifier: Apache-2.0
# bash completion for sluice(1)

_sluice_mountpoints() {
    # Word for word, also with blanks in a name: one line each.
    findmnt --noheadings --list --types erofs --output TARGET 2>/dev/null
}

_sluice() {
    local cur prev words cword
    _init_completion -n : || return

    local command='' i
    for ((i = 1; i < cword; i++)); do
        [[ ${words[i]} == -* ]] || { command=${words[i]}; break; }
    done

    case $prev in
        --socket | --output-json | --digestfile | --push-blobs | --authfile | --src-authfile | --dest-authfile | --backend-config)
            _filedir
            return
            ;;
        --compressor) COMPREPLY=($(compgen -W 'zstd lz4 none' -- "$cur")); return ;;
        --digester) COMPREPLY=($(compgen -W 'blake3 sha256' -- "$cur")); return ;;
        --progress) COMPREPLY=($(compgen -W 'auto plain tty json' -- "$cur")); return ;;
        --chunk-size | --level | --jobs | --platform | --creds | --src-creds | --dest-creds | --retry-times | --fsid | --domain) return ;;
        --frontend) COMPREPLY=($(compgen -W 'fanotify cachefiles' -- "$cur")); return ;;
        --cert-dir | --src-cert-dir | --dest-cert-dir) _filedir -d; return ;;
    esac

    local options registry both
    registry='--creds --authfile --cert-dir --tls-verify --retry-times'
    both="$registry --src-creds --src-authfile --src-cert-dir --src-tls-verify
          --dest-creds --dest-authfile --dest-cert-dir --dest-tls-verify"
    case $command in
        '') COMPREPLY=($(compgen -W 'convert copy inspect mount umount bind unbind list status --help --version' -- "$cur")); return ;;
        convert)
            options="--chunk-size --compressor --level --digester --platform --jobs --output-json --digestfile --push-blobs --progress
                     --quiet --help $both"
            ;;
        copy) options="--all --platform --preserve-digests --digestfile --quiet --help $both" ;;
        inspect) options="--raw --config --platform --help $registry" ;;
        mount) options='--socket --frontend --tls-verify --creds --authfile --cert-dir --backend-config --help' ;;
        bind) options='--socket --fsid --domain --tls-verify --creds --authfile --cert-dir --backend-config --help' ;;
        umount) options='--socket --help' ;;
        unbind) options='--socket --domain --help' ;;
        list | status) options='--socket --json --help' ;;
        *) return ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi
    case $command in
        convert | copy | inspect | mount | bind)
            # What stands before the colon of a reference is a transport, what follows is a path.
            local transports
            case $command in
                mount | bind) transports='docker:// oci: rafs:' ;;
                copy) transports='docker:// oci: oci-archive:' ;;
                *) transports='docker:// oci: oci-archive: docker-archive: rootfs: tar:' ;;
            esac
            if [[ $cur == *:* ]]; then
                local prefix=${cur%%:*}:
                cur=${cur#*:}
                _filedir
                COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
                __ltrim_colon_completions "$prefix$cur"
                return
            fi
            if [[ $command == mount && $i -lt $((cword - 1)) ]]; then
                _filedir -d
            else
                compopt -o nospace
                COMPREPLY=($(compgen -W "$transports" -- "$cur"))
            fi
            ;;
        umount)
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(_sluice_mountpoints)" -- "$cur"))
            ;;
    esac
} && complete -F _sluice sluice
