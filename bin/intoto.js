#!/usr/bin/env node
import 'intoto-cli/bin'
