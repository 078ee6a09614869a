POLYNOMIAL = 0x07


def feed(register, byte):
    register ^= byte
    for _ in range(8):
        carry = register & 0x08
        register = (register << 1) & 0xFF
        if carry:
            register ^= POLYNOMIAL
    return register


def checksum(packet):
    register = 0
    for byte in packet:
        register = feed(register, byte)
    return register
