const assert = require('node:assert');
const { test } = require('node:test');
const { add } = require('./main.js');

test('adds', () => assert.strictEqual(add(1, 2), 3));
