#!/usr/bin/env node
'use strict'
require('intoto-cli/bin')
