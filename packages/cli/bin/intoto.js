#!/usr/bin/env node
import '../dist/intoto.js'
