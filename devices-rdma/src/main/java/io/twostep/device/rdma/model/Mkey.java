package io.twostep.device.rdma.model;

/** A memory key as the adapter keeps it. */
final class Mkey {
  final int key;
  final int access;
  final int domain;
  final boolean remoteInvalidate;
  final boolean allAddresses;
  final boolean physical;
  final boolean faults;
  final long start;
  final long length;
  final int logPage;
  final long table;
  final boolean updatable;

  /** Whether it was invalidated. */
  boolean free;

  Mkey(
      int key, int access, int domain, boolean remoteInvalidate, boolean allAddresses, boolean physical, boolean faults, long start, long length, int logPage,
      long table, boolean updatable) {
    this.key = key;
    this.access = access;
    this.domain = domain;
    this.remoteInvalidate = remoteInvalidate;
    this.allAddresses = allAddresses;
    this.physical = physical;
    this.faults = faults;
    this.start = start;
    this.length = length;
    this.logPage = logPage;
    this.table = table;
    this.updatable = updatable;
  }

  /** Tell whether all bytes of a range are the key's; unsigned, and never wraps. */
  boolean covers(long address, long bytes) {
    long offset = address - start;
    return allAddresses ? bytes == 0 || Long.compareUnsigned(address + (bytes - 1), address) >= 0
        : Long.compareUnsigned(offset, length) <= 0 && Long.compareUnsigned(bytes, length - offset) <= 0;
  }
}
