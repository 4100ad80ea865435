#!/usr/bin/env node
// What node_modules/.bin/trellis points to.
import '../../../infra/bootstrap/trellis.mjs';
