/** What the implementations answered, as text for a terminal and as docs/conformance.md. Called by index.mjs; it tries nothing. */

const names = ['ours', 'Python', 'Go']
const isRight = ({ expected, answers }, name) => answers[name].did === `${expected}s`

/** Areas with their cases, in order. */
function byArea(results) {
  const areas = new Map()
  for (const result of results) areas.set(result.area, [...(areas.get(result.area) ?? []), result])
  return [...areas]
}

/** For a terminal: figures for each area, and every wrong answer. */
export function table(results, adapters) {
  const columns = adapters.map(({ name }) => name)
  const row = (cells) => cells.map((cell, i) => (i === 0 ? String(cell).padEnd(14) : String(cell).padStart(8))).join('')
  const counts = (list) => columns.map((name) => list.filter((result) => isRight(result, name)).length)
  const wrong = results.flatMap((result) =>
    columns
      .filter((name) => !isRight(result, name))
      .map((name) => `  ${result.name}: ${name} ${result.answers[name].did}, must ${result.expected}`),
  )
  return [
    row(['area', 'cases', ...columns]),
    ...byArea(results).map(([area, list]) => row([area, list.length, ...counts(list)])),
    row(['all', results.length, ...counts(results)]),
    '',
    ...wrong,
  ].join('\n')
}

const escaped = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*').replaceAll('_', '\\_')
const line = (cells) => `| ${cells.join(' | ')} |`

/** docs/conformance.md. */
export function document(results, versions) {
  const figures = (list) => names.map((name) => list.filter((result) => isRight(result, name)).length)
  const head = names.map((name) => `${name} ${versions[name]}`)
  const answer = (result, name) => (isRight(result, name) ? 'as it must' : `**${result.answers[name].did}**`)
  const sections = byArea(results).map(([area, list]) =>
    [
      `## ${area[0].toUpperCase()}${area.slice(1)}`,
      '',
      line(['case', 'must', ...names, 'what', 'where it stands']),
      line(Array.from({ length: 7 }, () => '---')),
      ...list.map((result) =>
        line([
          `\`${result.name.slice(area.length + 1)}\``,
          result.expected,
          ...names.map((name) => answer(result, name)),
          escaped(result.why),
          escaped(result.section),
        ]),
      ),
      '',
    ].join('\n'),
  )
  return [
    '# Conformance',
    '',
    'The cases of `test/conformance`, put before three implementations by their own commands, each case in a folder of its own. `npm run conformance` makes the cases, runs them and writes',
    'this page; [its README](../test/conformance/README.md) says how to put another implementation before them. Sections are those of the in-toto specification 1.0 unless said otherwise;',
    'why a verdict must be what it must, where the others differ, is in [divergences.md](divergences.md).',
    '',
    '`accepts`: exit code 0; `refuses`: exit code 1 or 2; `crashes`: any other end, or a stack trace; `hangs`: no answer in 20 seconds; `acts`: it ran or wrote what it must not have.',
    '',
    line(['area', 'cases', ...head]),
    line(['---', '---', '---', '---', '---']),
    ...byArea(results).map(([area, list]) => line([area, list.length, ...figures(list)])),
    line(['all', results.length, ...figures(results)]),
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}
