package io.twostep.examples.rpc;

/**
 * A piece of the client's memory that the server may use (RFC 8166, 3.4).
 *
 * @param handle the key
 * @param length bytes
 * @param offset address in the key
 */
record Chunk(int handle, int length, long offset) {}
