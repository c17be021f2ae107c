/** Names of what is running, for --version and for reports. */

/** Put in by build.mjs from package.json. */
declare const PACKAGE_VERSION: string

/** This package's version; all packages of the project share it. */
export const version: string = PACKAGE_VERSION

/** The in-toto specification that the verdicts follow. */
export const specification = '1.0'

/** What --version says. */
export const versionLine: string = `intoto ${version} (in-toto specification ${specification})\n`
