/** The flags of the reference's programs, for the tests that hold ours against them. */

/** Flags of in-toto 3.1.0 by our name of the command, as `--help` of each program lists them; test/interop/flags.test.ts asks the programs. */
export const reference: { readonly [command: string]: string } = {
  run: '-n --step-name -g --gpg --signing-key -m --materials -p --products -s --record-streams -x --no-command -P --password --gpg-home --exclude --base-path --lstrip-paths -d --metadata-directory --use-dsse --run-timeout -v --verbose -q --quiet --version -h --help',
  'record start':
    '-n --step-name -P --password -g --gpg --gpg-home --signing-key --exclude --base-path --lstrip-paths --use-dsse -v --verbose -q --quiet -m --materials --version -h --help',
  'record stop':
    '-n --step-name -P --password -g --gpg --gpg-home --signing-key --exclude --base-path --lstrip-paths --use-dsse -v --verbose -q --quiet -p --products -d --metadata-directory --version -h --help',
  sign: '-f --file -k --key -p --prompt -g --gpg --gpg-home -o --output -a --append --verify -v --verbose -q --quiet --version -h --help',
  verify: '-l --layout --verification-keys -g --gpg --link-dir --gpg-home --inspection-timeout -v --verbose -q --quiet --version -h --help',
  'match-products': '-l --link -p --paths -e --exclude --lstrip-paths -v --verbose -h --help',
  mock: '-n --name --use-dsse --version -h --help',
}
