import { DEFAULT_CONTROLS, decodeControls, encodeControls } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import { parseControls } from './control-request.js';
import { parseEmbeddingRequest } from './embeddings.js';

describe('parseControls', () => {
  it('controls nothing unless asked, or asked for what changes nothing', () => {
    expect(parseControls({})).toEqual(DEFAULT_CONTROLS);
    const nothing = {
      presence_penalty: -0,
      frequency_penalty: 1e-9,
      repetition_penalty: 1,
      logit_bias: { 5: 0, 6: -1e-9 },
      logprobs: false,
      response_format: { type: 'text' },
      top_logprobs: null,
      guided_regex: null,
    };
    expect(parseControls(nothing)).toEqual(DEFAULT_CONTROLS);
    expect(encodeControls(parseControls(nothing))).toHaveLength(0);
  });

  it('rounds to the grid and sorts', () => {
    const controls = parseControls({
      presence_penalty: -2,
      frequency_penalty: 0.1,
      repetition_penalty: 1.3,
      logit_bias: { 20: 100, 3: -100, 1: 0.00001 },
      logprobs: true,
      top_logprobs: 5,
    });
    expect(controls).toEqual({
      repetition: 85_197,
      presence: -131_072,
      frequency: 6_554,
      bias: [
        [1, 1],
        [3, -6_553_600],
        [20, 6_553_600],
      ],
      topLogprobs: 5,
    });
    expect(decodeControls(encodeControls(controls))).toEqual(controls);
  });

  it('names the parameter whose schema or pattern is not supported', () => {
    const paramOf = (body: object): unknown => {
      try {
        return parseControls(body as Record<string, unknown>);
      } catch (error) {
        const { code, param } = error as { code: string; param: string };
        return [code, param];
      }
    };
    expect(paramOf({ guided_json: { oneOf: [] } })).toEqual(['schema_unsupported', 'guided_json']);
    expect(paramOf({ guided_json: '{"minimum": 3}' })).toEqual([
      'schema_unsupported',
      'guided_json',
    ]);
    expect(paramOf({ guided_regex: 'a{9999}' })).toEqual(['grammar_too_large', 'guided_regex']);
    const schema = { type: 'json_schema', json_schema: { name: 'x', schema: { $ref: '#' } } };
    expect(paramOf({ response_format: schema })).toEqual(['grammar_invalid', 'response_format']);
  });
});

describe('parseEmbeddingRequest', () => {
  it('takes a text, ids, or lists of them', () => {
    const inputs = (input: unknown) => parseEmbeddingRequest({ model: 'm', input }).inputs;
    expect(inputs('a')).toEqual(['a']);
    expect(inputs([1, 2])).toEqual([[1, 2]]);
    expect(inputs(['a', 'b'])).toEqual(['a', 'b']);
    expect(inputs([[1], [2, 3]])).toEqual([[1], [2, 3]]);
  });

  it('lists what it ignores, and defaults to floats of the mean', () => {
    const request = parseEmbeddingRequest({ model: 'm', input: 'a', user: 'x' });
    expect(request).toMatchObject({ encoding: 'float', pooling: 'mean', ignored: ['user'] });
  });
});
