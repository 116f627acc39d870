package io.twostep.machine.model;

/**
 * Bytes that a device moved to and from other devices' BARs.
 *
 * @param direct by bus address, past host bridge and translation
 * @param bridged through the host bridge
 */
public record PeerBytes(long direct, long bridged) {}
