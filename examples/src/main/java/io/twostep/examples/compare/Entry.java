package io.twostep.examples.compare;

/**
 * A range that the device was given.
 *
 * @param dmaAddress its first byte for the device
 * @param length bytes
 */
public record Entry(long dmaAddress, long length) {}
