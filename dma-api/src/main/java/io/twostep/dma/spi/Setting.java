package io.twostep.dma.spi;

/**
 * One setting a plugin understands.
 *
 * @param name lower case with hyphens
 * @param defaultValue what is used when it is not given, as it would be written
 * @param meaning one line: what it does, unit and range
 */
public record Setting(String name, String defaultValue, String meaning) {}
