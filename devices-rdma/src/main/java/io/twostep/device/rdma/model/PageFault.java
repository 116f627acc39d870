package io.twostep.device.rdma.model;

/**
 * An access that met an absent page.
 *
 * @param key the key that the page is of
 * @param address first address that is needed
 * @param demanded bytes that the access itself lacks
 * @param length bytes that its request will need of the key, at least those that the access lacks
 */
record PageFault(int key, long address, long demanded, long length) {
  /** Return the same of a request that goes on for no more than {@code behind} bytes behind the access. */
  PageFault endingBehind(long behind) {
    return new PageFault(key, address, demanded, Math.min(length, demanded + behind));
  }
}
