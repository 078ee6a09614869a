def shortest_shift(loads):
    quick_wash = [load for load in loads if load[0] < load[1]]
    quick_dry = [load for load in loads if load[0] >= load[1]]
    quick_wash.sort(key=lambda load: load[0])
    quick_dry.sort(key=lambda load: -load[1])
    washer = dryer = 0
    for wash, dry in quick_wash + quick_dry:
        washer += wash
        dryer = max(washer, dryer) + dry
    return dryer
