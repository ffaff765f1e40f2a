select raw from events where partition = $1 and epoch = $2 and n = $3 and index = $4
