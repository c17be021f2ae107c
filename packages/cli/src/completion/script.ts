/**
 * The scripts, one for each shell: they hand the words of the line to `intoto completion --at` and show what comes back. They call the command by its name
 * on the PATH, never by the path that is being typed, since a mere tab would run what lies there. Text only.
 */

const bash = `# Completion of intoto for bash: eval "$(intoto completion bash)"
_intoto() {
  local line reply current=\${COMP_WORDS[COMP_CWORD]} last=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  reply=$(command intoto completion --at $((COMP_CWORD - 1)) -- "\${COMP_WORDS[@]:1}" 2> /dev/null) || return
  if [[ $reply == ':files' ]]; then
    compopt -o default
    return
  fi
  while IFS=$'\\t' read -r line _; do
    # what stands before "=" is a word of its own here
    if [[ $current == '=' || $last == '=' ]]; then line=\${line#*=}; fi
    if [[ -n $line ]]; then COMPREPLY+=("$line"); fi
  done <<< "$reply"
}
complete -F _intoto intoto
`

const zsh = `#compdef intoto
# Completion of intoto for zsh: eval "$(intoto completion zsh)", behind compinit
_intoto() {
  local line reply
  local -a items
  reply=$(command intoto completion --at $((CURRENT - 2)) -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2> /dev/null) || return 1
  if [[ $reply == ':files' ]]; then
    compset -P '--[a-z-]#='
    _files
    return
  fi
  for line in "\${(@f)reply}"; do
    [[ -n $line ]] && items+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe -V intoto items
}
compdef _intoto intoto
`

const fish = `# Completion of intoto for fish: intoto completion fish > ~/.config/fish/completions/intoto.fish
function __intoto_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l reply (command intoto completion --at (math (count $words) - 1) -- $words[2..-1] "$current" 2> /dev/null)
    if test "$reply" = ':files'
        set -l file (string replace -r -- '^--[a-z-]+=' '' "$current")
        set -l flag (string replace -r -- '^(--[a-z-]+=).*' '$1' "$current")
        if test "$flag" = "$current"; and not string match -q -- '--*=' "$flag"
            set flag ''
        end
        for path in (__fish_complete_path "$file")
            echo "$flag$path"
        end
    else
        printf '%s\\n' $reply
    end
end
complete -c intoto -f -a '(__intoto_complete)'
`

const powershell = `# Completion of intoto for PowerShell: intoto completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName intoto -ScriptBlock {
  param($current, $line, $position)
  $words = @($line.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $position } | ForEach-Object { "$_" })
  $given = if ($current -eq '') { $words } else { $words + $current }
  # Without a candidate PowerShell completes file names by itself.
  & (Get-Command intoto -CommandType Application, ExternalScript | Select-Object -First 1) completion --at $words.Count '--' @given 2> $null |
    Where-Object { $_ -ne ':files' } |
    ForEach-Object {
      $word, $meaning = $_ -split "\`t", 2
      if (-not $meaning) { $meaning = $word }
      [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $meaning)
    }
}
`

/** Every script by the name of its shell. */
export const scripts: Readonly<Record<string, string>> = { bash, zsh, fish, powershell }
