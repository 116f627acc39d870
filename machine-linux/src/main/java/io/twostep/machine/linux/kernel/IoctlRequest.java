package io.twostep.machine.linux.kernel;

/**
 * A device's own request.
 *
 * @param name the uAPI's name, for messages
 * @param number the uAPI's number
 */
public record IoctlRequest(String name, long number) {}
