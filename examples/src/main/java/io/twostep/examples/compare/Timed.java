package io.twostep.examples.compare;

/**
 * What mapping took the processor on a warm path, translation hardware aside.
 *
 * @param mapNanosPerPage mapping, for each page
 * @param unmapNanosPerPage unmapping, for each page
 * @param heapBytesPerOp heap bytes allocated for mapping and unmapping a request
 * @param registerNanosPerPage registering and giving back all buffers once, for each page; zeros where nothing is registered
 */
public record Timed(Spread mapNanosPerPage, Spread unmapNanosPerPage, double heapBytesPerOp, Spread registerNanosPerPage) {}
