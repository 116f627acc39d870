package io.twostep.device.rdma;

/** Makes pages of an on-demand key present. */
@FunctionalInterface
public interface PageFaultHandler {
  /**
   * Make a range of addresses present in the key's page table, at least its beginning; called by whoever services the adapter's faults.
   *
   * @param demanded bytes from {@code address} on that must be present before the request that waits can go on
   * @param length bytes that it will need from there on, at least those demanded; what of the rest is absent faults again
   * @param write whether the pages must be writable
   * @return false if what is demanded cannot be had: the request that waits then fails, as it does if this throws
   */
  boolean fault(long address, long demanded, long length, boolean write);
}
