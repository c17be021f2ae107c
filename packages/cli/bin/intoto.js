#!/usr/bin/env node
'use strict'
// CommonJS, since Node starts it in two thirds of the time that a module takes; bin/package.json says so.
require('../dist/intoto.cjs')
