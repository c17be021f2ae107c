/**
 * What is promised, aimed at and dreamed of, as ratios within one run; and why an aim is missed where it is. The harness puts the measured figures
 * beside these. `least`: the figure should be at least so large, else at most.
 */
const promise = (key, what, [must, goal, moonshot], more = { least: true }) => ({ key, what, must, goal, moonshot, ...more })
const most = {}

export const targets = [
  promise('verify.10.python.wall', 'verify, 10 files: wall, Python / ours', [3, 4, 4.5]),
  promise('start.version.cpu', 'own start-up: processor, `intoto --version` / `node -e 0`', [1.7, 1.4, 1.2], most),
  promise('verify.10000.python.wall', 'verify, 10,000 files: wall, Python / ours', [4, 8, 10]),
  promise('verify.10000.go.wall', 'verify, 10,000 files: wall, Go / ours', [2, 3.5, 4.5]),
  promise('verify.100000.python.wall', 'verify, 100,000 files: wall, Python / ours', [8, 15, 22]),
  promise('verify.100000.go.wall', 'verify, 100,000 files: wall, Go / ours', [4, 8, 11]),
  promise('verify.rules.python.wall', 'verify, 10,000 files, 1,000 rules: wall, Python / ours', [5, 10, 20]),
  promise('verify.rules.go.wall', 'verify, 10,000 files, 1,000 rules: wall, Go / ours', [11, 25, 45]),
  promise('verify.100000.go.rss', 'verify, 100,000 files: peak memory, Go / ours', [2, 4, 5]),
  promise('verify.100000.python.rss', 'verify, 100,000 files: peak memory, Python / ours', [1.2, 2.3, 3]),
  promise('verify.growth', 'verify: processor, 100,000 / 10,000 files', [11, 7, 4], most),
  promise('run.10000.python.wall', 'run, 10,000 files: wall, Python / ours', [3, 4, 5]),
  promise('run.10000.go.wall', 'run, 10,000 files: wall, Go / ours', [1.4, 1.8, 2.3]),
  promise('run.50000.python.wall', 'run, 50,000 files: wall, Python / ours', [4, 5.5, 7]),
  promise('run.50000.go.wall', 'run, 50,000 files: wall, Go / ours', [2, 2.7, 3.5]),
  promise('run.large.python.wall', 'run, 1 GB in 10 files: wall, Python / ours', [1.8, 2.4, 2.6]),
  promise('run.large.go.wall', 'run, 1 GB in 10 files: wall, Go / ours', [1.4, 1.9, 2]),
  promise('run.50000.c.cpu', 'run, 50,000 files: processor, ours / the same hashing in C', [2.2, 1.7, 1.4], most),
  ...['webpack', 'rollup'].map((name) => promise(`build.${name}.cpu`, `${name}: processor, with / without`, [1.03, 1.01, 1.005], most)),
  ...['vite', 'rspack', 'esbuild'].map((name) =>
    promise(`build.${name}.cpu`, `${name}: processor, with / without`, [1.06, 1.03, 1.02], most),
  ),
  promise('build.rolldown.cpu', 'rolldown: processor, with / without', [1.12, 1.08, 1.05], most),
  promise('build.rss', 'plugin: peak memory added, the most of all bundlers, in MB', [60, 30, 15], most),
]

/** Measured reasons, by the beginning of the key; printed only where the aim is missed. */
export const reasons = {
  'verify.10.':
    'a verdict on 10 files is start-up alone: 1.9 bare starts of Node, with what V8 compiled before. Of what comes on top of a bare start, by its profile, a quarter loads `node:crypto`, an eighth reads back what V8 made, and most of the rest runs each function for the first time.',
  'verify.10000.': 'start-up is three tenths of our wall clock there.',
  'verify.100000.python.rss':
    'a third are the bytes of the files, which are held until the verdict, and as much the signed bytes, over which names and digests lie; the rest is Node.',
  'verify.100000.':
    'by its profile a fifth writes the canonical bytes that are signed, a fifth reads names and digests, a tenth compares them, a tenth checks the signatures.',
  'verify.rules.':
    'by its profile two fifths apply the rules, a fifth reads the links, an eighth the layout; most of the rest is start-up.',
  'run.10000':
    'our code runs for the first time there: V8’s optimising compiler takes a sixth of the processor (by perf), and the one look at a file takes 2.7 of 14 µs, where it takes 1.3 of 11 among 50,000 files. The bare loop of open, read, hash and close is 1.25 of all that C does. A thread costs 1.5 bare starts of Node: it takes a tenth off the wall clock for a sixth more processor. Start-up is a tenth of the wall clock, writing and signing the link a tenth.',
  'run.50000':
    'the bare loop of open, read, hash and close is 1.1 of all that C does, and with one look at each file 1.27. The rest is walking, names, garbage, compiling, two threads in place of one, and writing and signing the link: a seventh of the wall clock, which no thread shares.',
  'run.large.': 'both threads hash as fast as the library can, and Python takes only 1.3 of our processor time.',
  'build.rss':
    'Rollup, which adds most, takes 1.2 GB by itself, and three builds without the plugin differ by 77 MB; in three of each the least with it was 16 MB more than the least without.',
  'build.':
    'the plugin alone, without any bundler around it, takes for 5,000 modules 0.015 of the processor time that Rollup takes for them, 0.07 of Vite’s, 0.09 of esbuild’s and 0.12 of Rolldown’s (medians of some minutes, not of the run below); esbuild takes 0.03 to 0.09 more when it is asked for its metafile, whoever asks. Of the plugin’s part a third is the bare loop of opening, reading, looking at, hashing and closing each file, a quarter V8 compiling in other threads what runs for each module, a seventh is loading the plugin, a twentieth collects garbage; the rest lists folders, collects modules, makes, signs and writes the link. Where two builds without the plugin differ by more than the limit allows (see the table below), the figure says nothing finer.',
}
